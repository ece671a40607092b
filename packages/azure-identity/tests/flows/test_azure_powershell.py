"""The account Azure PowerShell is signed in with."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from scripted import NOW, ScriptedIO, ask

from azure.identity import AzurePowerShellCredential, CredentialUnavailableError
from azure.identity._values.messages import IN_CHAIN, IN_DEFAULT_CHAIN, CannotRun, Completed, TimedOut

SCOPE = "https://management.azure.com/.default"
NAME = "AzurePowerShellCredential"
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)


@pytest.fixture
def pwsh(install: Callable[[str], str]) -> str:
    """PowerShell is installed; its path."""
    return install("pwsh")


def printed(name: str = "T1", expires_on: int = NOW + 3600) -> Completed:
    return Completed(0, f"\nazsdk%{name}%{expires_on}\n")


def script_of(io: ScriptedIO, number: int = 0) -> str:
    return base64.b64decode(io.commands[number].argv[-1]).decode("utf-16-le")


@each_face
def test_one_run_of_the_tool(pwsh: str, face: Face) -> None:
    """Started without a shell; the script is one argument."""
    io = ScriptedIO(printed())

    found = face.ask(face.make(NAME), io, SCOPE)

    command = io.commands[0]
    assert command.argv[:-1] == (pwsh, "-NoProfile", "-NonInteractive", "-EncodedCommand")
    assert "'ResourceUrl' = 'https://management.azure.com'" in script_of(io)
    assert "$tenantId = ''" in script_of(io)
    assert (command.env, command.timeout) == ({}, 10)
    assert (found.token, found.expires_on, found.refresh_on, found.token_type) == ("T1", NOW + 3600, None, "Bearer")
    io.finished()


@each_face
def test_the_time_it_is_given_is_one_deadline_in_both_worlds(pwsh: str, face: Face) -> None:
    """(The published package's async class always waits 10 seconds.)"""
    io = ScriptedIO(printed())

    face.ask(face.make(NAME, process_timeout=1), io, SCOPE)

    assert io.commands[0].timeout == 1


def test_the_tenant(pwsh: str) -> None:
    """The configured one, or the one a caller asks for."""
    io = ScriptedIO(printed(), printed())

    ask(AzurePowerShellCredential(tenant_id="t0"), io, SCOPE)
    ask(AzurePowerShellCredential(), io, SCOPE, tenant="t1")

    assert "$tenantId = 't0'" in script_of(io, 0)
    assert "$tenantId = 't1'" in script_of(io, 1)


@pytest.mark.parametrize("scopes", [(), ("a", "b"), ("a'b",), ("a b",), ("",)], ids=repr)
def test_scopes_that_are_not_one_safe_word_are_refused(pwsh: str, scopes: tuple[str, ...]) -> None:
    """A resource stands in quotes in the script."""
    io, credential = ScriptedIO(), AzurePowerShellCredential()
    credential._port_ = io  # type: ignore[assignment]

    with pytest.raises(ValueError, match="scope"):
        credential.get_token(*scopes)
    io.finished()


@pytest.mark.skipif(sys.platform == "win32", reason="the other name is tried there")
def test_windows_powershell_is_not_looked_for_elsewhere(install: Callable[[str], str]) -> None:
    install("powershell")

    with pytest.raises(CredentialUnavailableError, match="PowerShell is not installed"):
        ask(AzurePowerShellCredential(), ScriptedIO(), SCOPE)


NOT_INSTALLED = "PowerShell is not installed. Install it (https://aka.ms/powershell)"
SIGN_IN = 'Please run "Connect-AzAccount" to set up an account: run "Connect-AzAccount".'
CLIXML = '#< CLIXML\r\n<Objs Version="1.1.0.1"><S S="Error">{}_x000D__x000A_</S></Objs>'


@pytest.mark.parametrize(
    ("end", "alone", "words"),
    [
        pytest.param(
            Completed(0, "NO_AZ_ACCOUNT_MODULE\n"), "unavailable", "Az.Account module >= 2.2.0", id="no module"
        ),
        pytest.param(Completed(127, "", "sh: pwsh: not found"), "unavailable", NOT_INSTALLED, id="status 127"),
        pytest.param(Completed(9009, "", "unbekannter Befehl"), "unavailable", NOT_INSTALLED, id="status 9009"),
        pytest.param(
            Completed(1, "", "'pwsh' is not recognized as an internal command"),
            "unavailable",
            NOT_INSTALLED,
            id="no pwsh",
        ),
        pytest.param(
            Completed(1, "", CLIXML.format("Run Connect-AzAccount to login.")), "unavailable", SIGN_IN, id="CLIXML"
        ),
        pytest.param(
            Completed(1, "", "have expired, please run Connect-AzAccount to set up"),
            "unavailable",
            SIGN_IN,
            id="modern",
        ),
        pytest.param(
            Completed(1, "", "please run\n     | \x1b[31;1mConnect-AzAccount to set up"),
            "unavailable",
            SIGN_IN,
            id="wrapped",
        ),
        pytest.param(
            Completed(1, "", "No accounts were found in the cache."),
            "unavailable",
            SIGN_IN,
            id="no account in its cache",
        ),
        pytest.param(
            Completed(1, "", "AADSTS70043: expired. Run Connect-AzAccount"),
            "unavailable",
            "Failed to invoke PowerShell: it ended with status 1 and said: AADSTS70043: expired.",
            id="Entra ID refused",
        ),
        pytest.param(
            Completed(1, "", "AuthorizationManager check failed."),
            "unavailable",
            "Execution policy prevented the script from running",
            id="execution policy",
        ),
        pytest.param(
            Completed(1, "", "The term 'Get-AzAccessToken' is not recognized as a name of a cmdlet"),
            "unavailable",
            "Failed to invoke PowerShell: it ended with status 1 and said: The term 'Get-AzAccessToken'",
            id="another thing not recognized",
        ),
        pytest.param(
            Completed(3, "x", ""), "unavailable", "it ended with status 3 and said: nothing Help:", id="nothing"
        ),
        pytest.param(
            Completed(0, "hello"),
            "failed",
            "Unexpected output from Azure PowerShell: the output has no token",
            id="no token",
        ),
        pytest.param(Completed(0, "azsdk%T%abc"), "failed", "not of the form the script writes", id="no expiry"),
        pytest.param(CannotRun("Exec format error"), "unavailable", "Failed to execute ", id="cannot be started"),
        pytest.param(
            TimedOut("no answer within 10 seconds"), "unavailable", "Timed out waiting for Azure Power", id="slow"
        ),
    ],
)
@pytest.mark.parametrize("context", ["alone", IN_CHAIN, IN_DEFAULT_CHAIN])
@each_face
def test_how_a_run_can_end(pwsh: str, face: Face, end: Any, alone: str, words: str, context: str) -> None:
    """A PowerShell that fails is "could not try"; only an output one cannot read is a failure."""
    io = ScriptedIO(end)

    with pytest.raises(ClientAuthenticationError) as caught:
        face.ask(face.make(NAME), io, SCOPE, context=context)

    unavailable = alone == "unavailable" or context == IN_DEFAULT_CHAIN
    assert isinstance(caught.value, CredentialUnavailableError) is unavailable
    assert str(caught.value).startswith(f"{NAME}: ")
    assert words in str(caught.value)
    assert "docs/troubleshooting.md#azure-powershell" in str(caught.value)
    io.finished()


def test_a_program_that_is_not_on_path_is_not_started() -> None:
    io = ScriptedIO()

    with pytest.raises(CredentialUnavailableError, match="PowerShell is not installed"):
        ask(AzurePowerShellCredential(), io, SCOPE)
    io.finished()


def test_the_command_to_sign_in_names_the_tenant(pwsh: str) -> None:
    with pytest.raises(CredentialUnavailableError, match='run "Connect-AzAccount -Tenant t1"'):
        ask(AzurePowerShellCredential(), ScriptedIO(Completed(1, "", "run Connect-AzAccount")), SCOPE, tenant="t1")


def test_a_claims_challenge_needs_a_person(pwsh: str) -> None:
    """The message is the command to run; no process is started."""
    io = ScriptedIO()

    with pytest.raises(CredentialUnavailableError) as caught:
        ask(AzurePowerShellCredential(), io, SCOPE, claims='{"x":1}', tenant="t")

    assert str(caught.value) == (
        f"{NAME}: Failed to get token: the resource requires a new sign-in. Run (Az.Accounts 5.2.0 or later): "
        "Connect-AzAccount -ClaimsChallenge eyJ4IjoxfQ== -Tenant t Help: docs/troubleshooting.md#claims-challenge"
    )
    io.finished()


@pytest.mark.parametrize(
    "end",
    [
        Completed(0, f"azsdk%eyJhbGciOiJub25lIn0.{'x' * 30}.{'y' * 30}%soon"),
        Completed(1, "", f'failed with {{"token": "{planted("token")}"}}'),
        Completed(1, planted("token"), ""),
    ],
    ids=["no expiry", "in an error", "output of a failure"],
)
def test_no_token_gets_into_a_message(pwsh: str, end: Completed) -> None:
    """However the tool prints it. (The check for planted secrets reads what is raised.)"""
    with pytest.raises(ClientAuthenticationError):
        ask(AzurePowerShellCredential(), ScriptedIO(end), SCOPE)


def test_an_opaque_token_in_a_line_of_another_form_is_not_shown(pwsh: str) -> None:
    """It need not look like a JSON Web Token."""
    with pytest.raises(ClientAuthenticationError) as caught:
        ask(AzurePowerShellCredential(), ScriptedIO(Completed(0, f"azsdk%{planted('token')}%soon")), SCOPE)

    assert planted("token") not in str(caught.value)


@pytest.mark.parametrize("name", ["AzureRmContext.json", "AzureRmContextSettings.json"])
def test_a_change_of_the_tools_own_record_takes_effect_at_once(
    pwsh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """`Connect-AzAccount` or `Set-AzContext` in another window."""
    folder = tmp_path / "home" / ".Azure"
    folder.mkdir()
    io, credential = ScriptedIO(printed("T1"), printed("T2")), AzurePowerShellCredential()

    assert ask(credential, io, SCOPE).token == "T1"
    (folder / name).write_text("changed")
    assert [ask(credential, io, SCOPE).token for _ in range(2)] == ["T2", "T2"]
    io.finished()
