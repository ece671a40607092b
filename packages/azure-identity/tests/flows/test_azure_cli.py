"""The account the Azure CLI is signed in with."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any, Optional

import pytest
from azure.core.exceptions import ClientAuthenticationError
from scripted import NOW, ScriptedIO, ask

from azure.identity import AzureCliCredential, CredentialUnavailableError
from azure.identity._values.messages import IN_CHAIN, IN_DEFAULT_CHAIN, CannotRun, Completed, TimedOut

SCOPE = "https://management.azure.com/.default"
JWT = "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJzIn0.c2lnbmF0dXJl"


def printed(access_token: str = "T1", expires_on: int = NOW + 3600, **members: Any) -> Completed:
    return Completed(0, json.dumps({"accessToken": access_token, "expires_on": expires_on, **members}))


def test_one_run_of_the_tool(az: str) -> None:
    """Argument by argument, without a shell; what is set around it; and what comes out."""
    io = ScriptedIO(printed("T1", NOW + 100))

    found = ask(AzureCliCredential(), io, SCOPE)

    command = io.commands[0]
    assert command.argv == (
        az,
        "account",
        "get-access-token",
        "--output",
        "json",
        "--resource",
        "https://management.azure.com",
    )
    assert command.env == {"AZURE_CORE_NO_COLOR": "true"}
    assert command.timeout == 10
    assert (found.token, found.expires_on, found.refresh_on, found.token_type) == ("T1", NOW + 100, None, "Bearer")
    io.finished()


@pytest.mark.skipif(sys.platform == "win32", reason="the folder is another one there")
def test_the_tool_is_started_in_a_folder_no_stranger_writes_to(az: str) -> None:
    """It would pick up files of the current one."""
    io = ScriptedIO(printed())

    ask(AzureCliCredential(), io, SCOPE)

    assert io.commands[0].cwd == "/bin"


def test_tenant_and_subscription_are_single_arguments(az: str) -> None:
    """Blanks within included. The resource keeps its slash."""
    io = ScriptedIO(printed())

    ask(AzureCliCredential(tenant_id="t", subscription="my sub"), io, "https://vault.azure.net//.default")

    assert io.commands[0].argv[5:] == (
        "--resource",
        "https://vault.azure.net/",
        "--tenant",
        "t",
        "--subscription",
        "my sub",
    )


def test_a_slow_tool_gets_the_time_it_was_given(az: str) -> None:
    """Seconds."""
    io = ScriptedIO(printed())

    ask(AzureCliCredential(process_timeout=42.5), io, SCOPE)

    assert io.commands[0].timeout == 42.5


@pytest.mark.parametrize(
    ("configured", "requested", "allowed", "argument"),
    [
        ("", None, (), None),
        ("", "t1", (), "t1"),
        ("t0", None, (), "t0"),
        ("t0", "T0", (), "t0"),
        ("t0", "t1", ("*",), "t1"),
        ("t0", "t1", ("T1",), "t1"),
    ],
    ids=["none", "requested", "configured", "the same", "any allowed", "this one allowed"],
)
def test_the_tenant(
    az: str, configured: str, requested: Optional[str], allowed: tuple[str, ...], argument: Optional[str]
) -> None:
    """Without a configured one, any may be requested."""
    io = ScriptedIO(printed())

    ask(AzureCliCredential(tenant_id=configured, additionally_allowed_tenants=list(allowed)), io, tenant=requested)

    argv = io.commands[0].argv
    assert (argv[argv.index("--tenant") + 1] if "--tenant" in argv else None) == argument


def test_multitenant_authentication_can_be_switched_off(az: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no tenant is named that was not configured."""
    monkeypatch.setenv("AZURE_IDENTITY_DISABLE_MULTITENANTAUTH", "true")
    io = ScriptedIO(printed())

    ask(AzureCliCredential(), io, SCOPE, tenant="t1")

    assert "--tenant" not in io.commands[0].argv


@pytest.mark.parametrize("context", [IN_CHAIN, IN_DEFAULT_CHAIN, "alone"])
def test_a_foreign_tenant_is_refused(az: str, context: str) -> None:
    """Also within the default chain: it is no failure of the tool."""
    io = ScriptedIO()

    with pytest.raises(ClientAuthenticationError, match="not configured to acquire tokens for tenant t1") as caught:
        ask(AzureCliCredential(tenant_id="t0"), io, SCOPE, tenant="t1", context=context)

    assert not isinstance(caught.value, CredentialUnavailableError)
    io.finished()


@pytest.mark.parametrize(
    "scopes",
    [
        (),
        ("a", "b"),
        ("a b",),
        ("",),
        ("a;b",),
        ("a|b",),
        ("a\\b",),
        ("a`b",),
        ("{a}",),
        ("a&b",),
        ("a'b",),
        ("é",),
        ("a\n",),
    ],
    ids=repr,
)
def test_scopes_that_are_not_one_safe_word_are_refused(az: str, scopes: tuple[str, ...]) -> None:
    """On Windows the tool is a batch file: its arguments pass through the command interpreter."""
    cred, io = AzureCliCredential(), ScriptedIO()
    cred._port_ = io  # type: ignore[assignment]

    with pytest.raises(ValueError, match="scope"):
        cred.get_token(*scopes)
    io.finished()


@pytest.mark.parametrize("tenant", ["a b", "a;b", "a|b", "a\\b", "a`b", "{a}", "a&b", "a'b", "é", "t\n", ".."])
def test_a_tenant_that_is_no_safe_word_is_refused(az: str, tenant: str) -> None:
    """By the constructor and by a request."""
    io = ScriptedIO()

    with pytest.raises(ValueError, match="tenant_id is invalid"):
        AzureCliCredential(tenant_id=tenant)
    with pytest.raises(ValueError, match="tenant_id is invalid"):
        ask(AzureCliCredential(), io, SCOPE, tenant=tenant)
    io.finished()


@pytest.mark.parametrize("subscription", ["a(b)", "é", "a;b", "a'b", "a\n"])
def test_a_subscription_with_other_characters_needs_its_id(subscription: str) -> None:
    """The message says so."""
    with pytest.raises(ValueError, match="use its id instead"):
        AzureCliCredential(subscription=subscription)


@pytest.mark.parametrize("timeout", [0, -1, "10", None, True])
def test_a_time_out_is_a_positive_number(timeout: Any) -> None:
    """Of seconds."""
    with pytest.raises(ValueError, match="process_timeout must be a positive number of seconds"):
        AzureCliCredential(process_timeout=timeout)


def test_an_unknown_keyword_is_refused() -> None:
    """There is no pipeline to pass it on to."""
    with pytest.raises(TypeError, match="tenant"):
        AzureCliCredential(tenant="t")  # type: ignore[call-arg]


NOT_INSTALLED = "Azure CLI not found on path"
SIGN_IN = "Please run 'az login' to set up an account"


@pytest.mark.parametrize(
    ("end", "alone", "words"),
    [
        pytest.param(Completed(127, "", "sh: az: not found"), "unavailable", NOT_INSTALLED, id="status 127"),
        pytest.param(
            Completed(1, "", "'az' is not recognized as an internal or external command"),
            "unavailable",
            NOT_INSTALLED,
            id="Windows knows no such command",
        ),
        pytest.param(
            Completed(1, "", "ERROR: Please run 'az login' to setup account."),
            "unavailable",
            SIGN_IN,
            id="not signed in",
        ),
        pytest.param(
            Completed(1, "", "The subscription of 'x' doesn't exist. Run az account set."),
            "unavailable",
            "Azure CLI said: The subscription of 'x' doesn't exist. Run az account set.",
            id="no such subscription",
        ),
        pytest.param(
            Completed(1, "", "AADSTS70043: The refresh token has expired. Please run: az login"),
            "failed",
            "AADSTS70043: The refresh token has expired.",
            id="Entra ID refused",
        ),
        pytest.param(Completed(42, "", "boom"), "failed", "Azure CLI failed: boom", id="some error"),
        pytest.param(
            Completed(42, "only this", ""),
            "failed",
            "Failed to invoke Azure CLI: it ended with status 42 and said nothing",
            id="no error text",
        ),
        pytest.param(Completed(0, "", ""), "failed", "Unexpected output from Azure CLI: ", id="no output"),
        pytest.param(Completed(0, "[]"), "failed", "It printed: []", id="a list"),
        pytest.param(Completed(0, "\ufffd\ufffd"), "failed", "Unexpected output", id="no UTF-8"),
        pytest.param(
            Completed(0, '{"accessToken":"T","expires":1}'), "failed", "no time of expiry", id="no time of expiry"
        ),
        pytest.param(CannotRun("Exec format error"), "unavailable", "Failed to execute ", id="cannot be started"),
        pytest.param(
            TimedOut("no answer within 10 seconds"),
            "unavailable",
            "Timed out waiting for Azure CLI: no answer within 10 seconds. A cold start can take that long",
            id="too slow",
        ),
    ],
)
@pytest.mark.parametrize("context", ["alone", IN_CHAIN, IN_DEFAULT_CHAIN])
def test_how_a_run_can_end(az: str, end: Any, alone: str, words: str, context: str) -> None:
    """What the tool cannot try is "could not try"; within the default chain all is, since the next tool may be
    signed in."""
    io = ScriptedIO(end)

    with pytest.raises(ClientAuthenticationError) as caught:
        ask(AzureCliCredential(), io, SCOPE, context=context)

    unavailable = alone == "unavailable" or context == IN_DEFAULT_CHAIN
    assert isinstance(caught.value, CredentialUnavailableError) is unavailable
    assert str(caught.value).startswith("AzureCliCredential: ")
    assert words in str(caught.value)
    assert "docs/troubleshooting.md#azure-cli" in str(caught.value)
    io.finished()


@pytest.mark.parametrize("end", [CannotRun("Exec format error"), TimedOut("no answer")])
def test_the_cause_is_kept(az: str, end: Exception) -> None:
    """For those who look deeper."""
    with pytest.raises(CredentialUnavailableError) as caught:
        ask(AzureCliCredential(), ScriptedIO(end), SCOPE)

    assert caught.value.__cause__ is end


def test_a_program_that_is_not_on_path_is_not_started() -> None:
    """Nor looked for in the current folder."""
    io = ScriptedIO()

    with pytest.raises(CredentialUnavailableError, match=NOT_INSTALLED):
        ask(AzureCliCredential(), io, SCOPE)
    io.finished()


def test_relative_entries_of_path_are_passed_over(az: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They depend on the current folder."""
    folder = Path(az).parent
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("PATH", folder.name)

    with pytest.raises(CredentialUnavailableError, match=NOT_INSTALLED):
        ask(AzureCliCredential(), ScriptedIO(), SCOPE)


def test_the_command_to_sign_in_names_the_tenant(az: str) -> None:
    """As the tool has to be told."""
    with pytest.raises(CredentialUnavailableError, match="run 'az login --tenant t1'"):
        ask(AzureCliCredential(), ScriptedIO(Completed(1, "", "Please run: az login")), SCOPE, tenant="t1")


@pytest.mark.parametrize(
    "end",
    [
        Completed(0, json.dumps({"accessToken": JWT, "expires": 1})),
        Completed(0, '{"accessToken":"opaque-SECRET","expires":1}'),
        Completed(0, '{"accessToken": "opaque-SECRET, some invalid json'),
        Completed(1, "", f"failed with {JWT}"),
        Completed(1, "", 'failed with {"accessToken":"opaque-SECRET"} Please run: az login'),
        Completed(1, "opaque-SECRET", ""),
    ],
    ids=["a JWT", "compact", "half an object", "an error with a JWT", "an error with an object", "output of a failure"],
)
@pytest.mark.parametrize("context", ["alone", IN_DEFAULT_CHAIN])
def test_no_token_gets_into_a_message(az: str, end: Completed, context: str) -> None:
    """However the tool prints it."""
    with pytest.raises(ClientAuthenticationError) as caught:
        ask(AzureCliCredential(), ScriptedIO(end), SCOPE, context=context)

    for text in (str(caught.value), repr(caught.value), repr(caught.value.__cause__)):
        assert "opaque-SECRET" not in text
        assert JWT.split(".")[1] not in text


def test_warnings_beside_a_token_are_passed_over(az: str) -> None:
    """On either stream."""
    end = printed("T1")
    io = ScriptedIO(end._replace(stderr="WARNING: az login is old", stdout="notice\n" + end.stdout))

    assert ask(AzureCliCredential(), io, SCOPE).token == "T1"


def test_a_claims_challenge_needs_a_person(az: str) -> None:
    """The message is the command to run; no process is started."""
    io = ScriptedIO()

    with pytest.raises(CredentialUnavailableError) as caught:
        ask(AzureCliCredential(), io, SCOPE, claims='{"x":1}', tenant="t")

    assert str(caught.value) == (
        "AzureCliCredential: Failed to get token: the resource requires a new sign-in. Run (Azure CLI 2.76.0 or "
        f"later): az login --claims-challenge eyJ4IjoxfQ== --tenant t --scope {SCOPE} "
        "Help: docs/troubleshooting.md#claims-challenge"
    )
    io.finished()


@pytest.mark.parametrize("claims", ['{"access_token":{"acrs":{"essential":true,"values":["p1"]}}}', '{"ä":"?>~"}'])
def test_a_challenge_is_quoted_as_base64(az: str, claims: str) -> None:
    """The standard alphabet, with padding, over UTF-8."""
    with pytest.raises(CredentialUnavailableError) as caught:
        ask(AzureCliCredential(), ScriptedIO(), SCOPE, claims=claims)

    assert f" --claims-challenge {base64.b64encode(claims.encode()).decode()} --scope" in str(caught.value)


@pytest.mark.parametrize("asked", [{"tenant": "t;rm -rf /"}, {"scopes": ("s;rm -rf /",)}], ids=["tenant", "scope"])
def test_a_command_to_paste_has_no_foreign_commands_in_it(az: str, asked: dict[str, Any]) -> None:
    """A resource's challenge may have named the tenant. (It was quoted unchecked at first.)"""
    with pytest.raises(ValueError, match="invalid"):
        ask(AzureCliCredential(), ScriptedIO(), *asked.get("scopes", (SCOPE,)), tenant=asked.get("tenant"), claims="{}")


def test_empty_claims_are_none(az: str) -> None:
    """As a caller may pass them on."""
    cred, io = AzureCliCredential(), ScriptedIO(printed("T1"))
    cred._port_ = io  # type: ignore[assignment]

    assert cred.get_token(SCOPE, claims="").token == "T1"


def test_a_token_is_kept_until_it_is_due(az: str) -> None:
    """A start of the tool takes seconds."""
    io, cred = ScriptedIO(printed("T1", NOW + 3600), printed("T2", NOW + 7200)), AzureCliCredential()

    assert [ask(cred, io, SCOPE).token for _ in range(2)] == ["T1", "T1"]
    io.advance(3300)
    assert ask(cred, io, SCOPE).token == "T2"
    io.finished()


@pytest.mark.parametrize("name", ["azureProfile.json", "clouds.config", "config"])
def test_a_change_of_the_tools_own_record_takes_effect_at_once(
    az: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """`az login` or `az account set` in another window."""
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    io, cred = ScriptedIO(printed("T1"), printed("T2")), AzureCliCredential()

    assert ask(cred, io, SCOPE).token == "T1"
    (tmp_path / name).write_text("changed")
    assert [ask(cred, io, SCOPE).token for _ in range(2)] == ["T2", "T2"]
    io.finished()
