"""What holds for every credential that asks a developer tool: caching, renewal, tenants, logging."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from scripted import NOW, ScriptedIO, ask

from azure.identity import AzureDeveloperCliCredential, AzurePowerShellCredential, CredentialUnavailableError
from azure.identity._flows.developer_tool import file_marks, find_program
from azure.identity._values.messages import Completed

SCOPE = "https://vault.azure.net/.default"
PROGRAMS = {
    "AzureCliCredential": "az",
    "AzureDeveloperCliCredential": "azd",
    "AzurePowerShellCredential": "pwsh",
}
each_tool = pytest.mark.parametrize("name", sorted(PROGRAMS))
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)


def printed(name: str, token: str = "T1", expires_on: int = NOW + 3600) -> Completed:
    """What the tool prints."""
    moment = datetime.fromtimestamp(expires_on, timezone.utc).isoformat()
    return Completed(
        0,
        {
            "AzureCliCredential": json.dumps({"accessToken": token, "expires_on": expires_on}),
            "AzureDeveloperCliCredential": json.dumps({"token": token, "expiresOn": moment}),
            "AzurePowerShellCredential": f"azsdk%{token}%{expires_on}",
        }[name],
    )


@pytest.fixture
def tools(install: Callable[[str], str]) -> None:
    """All tools are installed."""
    for program in PROGRAMS.values():
        install(program)


@each_tool
@each_face
def test_ten_calls_start_one_process(tools: None, face: Face, name: str) -> None:
    """(The published package starts ten, which take seconds each.)"""
    io, credential = ScriptedIO(printed(name)), face.make(name)

    assert {face.ask(credential, io, SCOPE).token for _ in range(10)} == {"T1"}
    assert len(io.commands) == 1
    io.finished()


@each_tool
@each_face
def test_a_token_is_renewed_in_its_last_five_minutes(tools: None, face: Face, name: str) -> None:
    io, credential = ScriptedIO(printed(name), printed(name, "T2", NOW + 7200)), face.make(name)

    face.ask(credential, io, SCOPE)
    io.advance(3299)
    assert face.ask(credential, io, SCOPE).token == "T1"
    io.advance(1)
    assert face.ask(credential, io, SCOPE).token == "T2"
    io.finished()


@each_tool
@each_face
def test_a_tool_that_fails_then_costs_no_valid_token(tools: None, face: Face, name: str) -> None:
    """It is asked again half a minute later, and when the token has expired its failure is the answer."""
    io, credential = ScriptedIO(printed(name), *[Completed(1, "", "boom")] * 3), face.make(name)

    face.ask(credential, io, SCOPE)
    for seconds in (3300, 29, 1):
        io.advance(seconds)
        assert face.ask(credential, io, SCOPE).token == "T1"
    assert len(io.commands) == 3
    io.advance(300)
    with pytest.raises(ClientAuthenticationError, match="boom"):
        face.ask(credential, io, SCOPE)
    io.finished()


@each_tool
@each_face
def test_scopes_and_tenants_have_tokens_of_their_own(tools: None, face: Face, name: str) -> None:
    io = ScriptedIO(printed(name, "A"), printed(name, "B"), printed(name, "C"))
    credential = face.make(name)

    for _ in range(2):
        assert face.ask(credential, io, "a/.default").token == "A"
        assert face.ask(credential, io, "b/.default").token == "B"
        assert face.ask(credential, io, "a/.default", tenant="t").token == "C"
    io.finished()


@each_tool
@each_face
def test_callers_that_handle_challenges_share_the_token(tools: None, face: Face, name: str) -> None:
    """The tools do not tell them apart."""
    io, credential = ScriptedIO(printed(name)), face.make(name)

    assert face.ask(credential, io, SCOPE).token == face.ask(credential, io, SCOPE, cae=True).token
    io.finished()


@each_tool
def test_the_public_method_asks_whether_somebody_else_has_signed_in(
    tools: None, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each time: the quick look in the cache that other credentials have does not do for tools."""
    for variable in ("AZURE_CONFIG_DIR", "AZD_CONFIG_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / "home" / ".Azure"))
    folder = tmp_path / "home" / ".Azure"
    folder.mkdir()
    io, credential = (
        ScriptedIO(printed(name, "ada", 9_999_999_999), printed(name, "bob", 9_999_999_999)),
        FACES[0].make(name),
    )
    credential._port_ = io

    assert {credential.get_token(SCOPE).token for _ in range(3)} == {"ada"}
    for record in ("azureProfile.json", "auth.json", "AzureRmContext.json"):
        (folder / record).write_text("bob")
    assert {credential.get_token_info(SCOPE).token for _ in range(3)} == {"bob"}
    io.finished()


@each_tool
@each_face
def test_a_tenant_that_is_not_allowed_is_no_failure_of_the_tool(tools: None, face: Face, name: str) -> None:
    """So it stops chains."""
    with pytest.raises(ClientAuthenticationError, match="not configured to acquire tokens for tenant t1") as caught:
        face.ask(face.make(name, tenant_id="t0"), ScriptedIO(), SCOPE, tenant="t1", context="default")

    assert not isinstance(caught.value, CredentialUnavailableError)


@each_tool
@each_face
def test_arguments_are_checked_when_the_credential_is_made(face: Face, name: str) -> None:
    with pytest.raises(ValueError, match="tenant_id is invalid"):
        face.make(name, tenant_id="a_b")
    with pytest.raises(ValueError, match="process_timeout must be a positive number of seconds, but it is 0"):
        face.make(name, process_timeout=0)
    with pytest.raises(TypeError, match="additionally_allowed_tenants must be a list"):
        face.make(name, additionally_allowed_tenants="contoso.onmicrosoft.com")
    with pytest.raises(TypeError, match="transport"):
        face.make(name, transport=object())
    assert face.make(name, tenant_id="").tenant_id == face.make(name, tenant_id=None).tenant_id == ""


# --- logging


def test_a_command_line_is_logged_without_what_only_the_tool_should_see(
    tools: None, caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG: arguments, but neither a claims challenge nor a script."""
    with caplog.at_level(logging.DEBUG, "azure.identity"):
        ask(AzureDeveloperCliCredential(), ScriptedIO(printed("AzureDeveloperCliCredential")), SCOPE, claims='{"x":1}')
        ask(AzurePowerShellCredential(), ScriptedIO(printed("AzurePowerShellCredential")), SCOPE)

    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("Running")]
    assert [line.count("'...'") for line in lines] == [1, 1]
    assert "'--scope', 'https://vault.azure.net/.default', '--claims', '...'" in lines[0]
    assert "'-EncodedCommand', '...'" in lines[1]


# --- where programs are, and what changes when somebody signs in


def test_a_program_is_found_on_absolute_folders_of_path_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order; what is no program is passed over."""
    for folder in ("one", "two", "relative"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tool").write_text("")
    (tmp_path / "two" / "tool").chmod(0o755)
    (tmp_path / "relative" / "tool").chmod(0o755)
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "tool").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "PATH", os.pathsep.join(["relative", "", ".", *(str(tmp_path / n) for n in ("three", "one", "two"))])
    )

    assert find_program("tool") == str(tmp_path / "two" / "tool")
    assert find_program("no-such-tool") is None


def test_on_windows_a_program_has_an_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside az.cmd lies a shell script named az, which Windows cannot run."""
    for name in ("az", "az.cmd", "pwsh.EXE"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PATHEXT", ".EXE;.cmd")
    monkeypatch.setattr(sys, "platform", "win32")

    assert find_program("az") == find_program("az.cmd", "az") == str(tmp_path / "az.cmd")
    assert find_program("pwsh", "powershell") == str(tmp_path / "pwsh.EXE")


def test_windows_must_say_where_its_system_directory_is(tools: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools are started there, and nowhere else."""
    monkeypatch.setattr("azure.identity._flows.developer_tool.sys.platform", "win32")
    monkeypatch.setattr("azure.identity._credentials.azd_cli.find_program", lambda *names: "azd.exe")
    monkeypatch.delenv("SYSTEMROOT", raising=False)

    with pytest.raises(CredentialUnavailableError, match="the environment variable SYSTEMROOT is not set"):
        ask(AzureDeveloperCliCredential(), ScriptedIO(), SCOPE)

    monkeypatch.setenv("SYSTEMROOT", "C:\\Windows")
    io = ScriptedIO(printed("AzureDeveloperCliCredential"))
    ask(AzureDeveloperCliCredential(), io, SCOPE)
    assert io.commands[0].cwd == "C:\\Windows"


def test_marks_of_files_change_with_them(tmp_path: Path) -> None:
    """When one appears, is written, is replaced, or goes."""
    seen = [file_marks(str(tmp_path), "a", "b")]
    (tmp_path / "b").write_text("1")
    seen.append(file_marks(str(tmp_path), "a", "b"))
    os.utime(tmp_path / "b", ns=(1, 1))
    seen.append(file_marks(str(tmp_path), "a", "b"))
    (tmp_path / "new").write_text("1")
    os.utime(tmp_path / "new", ns=(1, 1))
    (tmp_path / "new").replace(tmp_path / "b")
    seen.append(file_marks(str(tmp_path), "a", "b"))
    (tmp_path / "b").unlink()

    assert len(set(seen)) == 4
    assert file_marks(str(tmp_path), "a", "b") == seen[0]
