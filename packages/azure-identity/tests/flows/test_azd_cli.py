"""The account the Azure Developer CLI is signed in with."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Callable

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from scripted import NOW, ScriptedIO, ask

from azure.identity import AzureDeveloperCliCredential, CredentialUnavailableError
from azure.identity._values.messages import IN_CHAIN, IN_DEFAULT_CHAIN, CannotRun, Completed, TimedOut

SCOPE = "https://management.azure.com/.default"
NAME = "AzureDeveloperCliCredential"
EXPIRY, LATER = "2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z"  # an hour and two after every script's begin
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)


@pytest.fixture
def azd(install: Callable[[str], str]) -> str:
    """The Azure Developer CLI is installed; its path."""
    return install("azd")


def printed(name: str = "T1", expires_on: str = EXPIRY) -> Completed:
    return Completed(0, json.dumps({"token": name, "expiresOn": expires_on}))


def console(message: str) -> str:
    return json.dumps({"type": "consoleMessage", "data": {"message": message}})


@each_face
def test_one_run_of_the_tool(azd: str, face: Face) -> None:
    """Argument by argument; what is set around it; and what comes out."""
    io = ScriptedIO(printed())

    found = face.ask(face.make(NAME), io, SCOPE)

    command = io.commands[0]
    assert command.argv == (azd, "auth", "token", "--output", "json", "--no-prompt", "--scope", SCOPE)
    assert (command.env, command.timeout) == ({"NO_COLOR": "true"}, 10)
    assert (found.token, found.expires_on, found.refresh_on, found.token_type) == ("T1", NOW + 3600, None, "Bearer")
    io.finished()


def test_several_scopes_a_tenant_and_a_challenge(azd: str) -> None:
    """Scopes stay as they are, each with its own flag; the challenge is base64 of its UTF-8."""
    io = ScriptedIO(printed())
    credential = AzureDeveloperCliCredential(tenant_id="t", process_timeout=42.5)

    ask(credential, io, "a/.default", "b/.default", claims='{"ä":1}')

    assert io.commands[0].argv[6:] == (
        *("--scope", "a/.default", "--scope", "b/.default", "--tenant-id", "t"),
        *("--claims", base64.b64encode('{"ä":1}'.encode()).decode()),
    )
    assert io.commands[0].timeout == 42.5


@pytest.mark.parametrize(
    ("scopes", "words"),
    [((), "at least one scope"), (("a b",), "invalid scope"), (("a", "b;c"), "invalid scope"), (("",), "blank scope")],
)
def test_scopes_that_are_no_safe_words_are_refused(azd: str, scopes: tuple[str, ...], words: str) -> None:
    """No process is started."""
    io, credential = ScriptedIO(), AzureDeveloperCliCredential()
    credential._port_ = io  # type: ignore[assignment]

    with pytest.raises(ValueError, match=words):
        credential.get_token(*scopes)
    io.finished()


NOT_INSTALLED = "Azure Developer CLI could not be found. Install it (https://aka.ms/azure-dev) and run 'azd auth login'"
SIGN_IN = "Please run 'azd auth login' from a command prompt: run 'azd auth login'."
NOBODY = "ERROR: fetching token: not logged in, run `azd auth login` to login"


@pytest.mark.parametrize(
    ("end", "alone", "words"),
    [
        pytest.param(Completed(127, "", ""), "unavailable", NOT_INSTALLED, id="status 127"),
        pytest.param(
            Completed(1, "", "'azd' is not recognized as an internal or external command"),
            "unavailable",
            NOT_INSTALLED,
            id="Windows knows no such command",
        ),
        pytest.param(Completed(1, "", NOBODY), "unavailable", SIGN_IN, id="nobody is signed in: plain"),
        pytest.param(Completed(1, "", console(NOBODY)), "unavailable", SIGN_IN, id="nobody is signed in: console"),
        pytest.param(
            Completed(1, "", json.dumps({"error": NOBODY})),
            "unavailable",
            SIGN_IN,
            id="nobody is signed in: structured",
        ),
        pytest.param(Completed(1, NOBODY, ""), "unavailable", SIGN_IN, id="nobody is signed in: standard output"),
        pytest.param(
            Completed(1, "", json.dumps({"error": "AADSTS70043: expired. " + NOBODY})),
            "failed",
            "Azure Developer CLI failed: AADSTS70043: expired. ERROR: fetching token: not logged in",
            id="Entra ID refused",
        ),
        pytest.param(
            Completed(1, "", json.dumps({"error": "AADSTS50076: mfa", "message": "m"}, indent=2)),
            "failed",
            "Azure Developer CLI failed: AADSTS50076: mfa Help:",
            id="structured",
        ),
        pytest.param(
            Completed(1, "", console("\n") + "\n" + console("ERROR: real")),
            "failed",
            "Azure Developer CLI failed: ERROR: real Help:",
            id="console messages",
        ),
        pytest.param(Completed(42, "", "boom"), "failed", "Azure Developer CLI failed: boom Help:", id="plain"),
        pytest.param(
            Completed(42, "", ""),
            "failed",
            "Failed to invoke Azure Developer CLI: it ended with status 42 and said nothing.",
            id="nothing",
        ),
        pytest.param(
            Completed(1, "", "ERROR: unknown flag: --claims"),
            "unavailable",
            "cannot answer a claims challenge. Update it to version 1.18.1 or later.",
            id="an old version",
        ),
        pytest.param(Completed(0, "", ""), "failed", "Unexpected output from Azure Developer CLI: ", id="no output"),
        pytest.param(Completed(0, "[]"), "failed", "It printed: [] Help:", id="a list"),
        pytest.param(
            Completed(0, console("nothing for you")),
            "failed",
            "Azure Developer CLI failed: nothing for you Help:",
            id="a message instead of a token",
        ),
        pytest.param(CannotRun("Exec format error"), "unavailable", "Failed to execute ", id="cannot be started"),
        pytest.param(
            TimedOut("no answer within 10 seconds"),
            "unavailable",
            "Timed out waiting for Azure Developer CLI: no answer within 10 seconds. A cold start can take that long; "
            "create the credential with a larger process_timeout.",
            id="too slow",
        ),
    ],
)
@pytest.mark.parametrize("context", ["alone", IN_CHAIN, IN_DEFAULT_CHAIN])
@each_face
def test_how_a_run_can_end(azd: str, face: Face, end: Any, alone: str, words: str, context: str) -> None:
    """Within the default chain every failure is "could not try", since the next tool may be signed in."""
    io = ScriptedIO(end)

    with pytest.raises(ClientAuthenticationError) as caught:
        face.ask(face.make(NAME), io, SCOPE, context=context)

    unavailable = alone == "unavailable" or context == IN_DEFAULT_CHAIN
    assert isinstance(caught.value, CredentialUnavailableError) is unavailable
    assert str(caught.value).startswith(f"{NAME}: ")
    assert words in str(caught.value)
    assert "Help: docs/troubleshooting.md#" in str(caught.value)
    io.finished()


def test_a_program_that_is_not_on_path_is_not_started() -> None:
    io = ScriptedIO()

    with pytest.raises(CredentialUnavailableError, match="could not be found"):
        ask(AzureDeveloperCliCredential(), io, SCOPE)
    io.finished()


def test_the_command_to_sign_in_names_the_tenant(azd: str) -> None:
    """As the tool has to be told."""
    with pytest.raises(CredentialUnavailableError, match="run 'azd auth login --tenant-id t1'"):
        ask(AzureDeveloperCliCredential(), ScriptedIO(Completed(1, "", NOBODY)), SCOPE, tenant="t1")


@pytest.mark.parametrize(
    "end",
    [
        Completed(0, json.dumps({"token": planted("token")})),
        Completed(0, '{"token":"' + planted("token")),
        Completed(1, "", json.dumps({"error": f'failed with {{"token": "{planted("token")}"}}'})),
        Completed(1, "", console(f'failed with {{"token":"{planted("token")}"}}')),
        Completed(1, planted("token"), ""),
    ],
    ids=["no expiry", "half an object", "in an error", "in a message", "output of a failure"],
)
@pytest.mark.parametrize("context", ["alone", IN_DEFAULT_CHAIN])
def test_no_token_gets_into_a_message(azd: str, end: Completed, context: str) -> None:
    """However the tool prints it. (The check for planted secrets reads what is raised.)"""
    with pytest.raises(ClientAuthenticationError) as caught:
        ask(AzureDeveloperCliCredential(), ScriptedIO(end), SCOPE, context=context)

    assert planted("token") not in repr(caught.value)


@each_face
def test_a_challenge_replaces_the_token(azd: str, face: Face) -> None:
    """The tool is asked anew, and what it gives is kept for those who ask without."""
    io, credential = ScriptedIO(printed("T1"), printed("T2", LATER)), face.make(NAME)

    assert face.ask(credential, io, SCOPE).token == "T1"
    assert face.ask(credential, io, SCOPE, claims='{"access_token":{}}').token == "T2"
    assert face.ask(credential, io, SCOPE).token == "T2"
    assert ["--claims" in command.argv for command in io.commands] == [False, True]
    io.finished()


@pytest.mark.parametrize("variable", ["AZD_CONFIG_DIR", "HOME"])
@pytest.mark.parametrize("name", ["auth.json", "config.json"])
def test_a_change_of_the_tools_own_record_takes_effect_at_once(
    azd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, name: str
) -> None:
    """`azd auth login` or `azd auth logout` in another window."""
    folder = tmp_path / "azd" if variable == "AZD_CONFIG_DIR" else tmp_path / "azd" / ".azd"
    folder.mkdir(parents=True)
    monkeypatch.setenv(variable, str(tmp_path / "azd"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "azd"))
    io, credential = ScriptedIO(printed("T1"), printed("T2")), AzureDeveloperCliCredential()

    assert ask(credential, io, SCOPE).token == "T1"
    (folder / name).write_text("changed")
    assert [ask(credential, io, SCOPE).token for _ in range(2)] == ["T2", "T2"]
    io.finished()


def test_the_azure_clis_record_counts_too(azd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool can be told to use its sign-in (`auth.useAzCliAuth`)."""
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    io, credential = ScriptedIO(printed("T1"), printed("T2")), AzureDeveloperCliCredential()

    assert ask(credential, io, SCOPE).token == "T1"
    (tmp_path / "azureProfile.json").write_text("changed")
    assert ask(credential, io, SCOPE).token == "T2"
