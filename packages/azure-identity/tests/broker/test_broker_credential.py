"""InteractiveBrowserBrokerCredential: the account of the operating system's broker."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any, Optional

import pytest
from azure.core.exceptions import ClientAuthenticationError
from fake_msal import Account, Machine, secret_error
from leak_watch import planted
from scripted import NOW, ScriptedIO, ask, reply

from azure.identity import (
    AuthenticationRecord,
    AuthenticationRequiredError,
    CredentialUnavailableError,
    InteractiveBrowserCredential,
)
from azure.identity._values.messages import IN_CHAIN, IN_DEFAULT_CHAIN, Unreachable

SCOPE = "https://vault.azure.net/.default"
CONFIGURATION = reply(200, {"token_endpoint": "https://x/token"})
WINDOW = 7
SILENT = {"use_default_broker_account": True, "disable_interactive_fallback": True}
POP = {"resource_request_method": "GET", "resource_request_url": "https://x/y", "nonce": "n"}
no_runtime = pytest.mark.parametrize(
    "runtime",
    [
        ImportError('You must install dependency by: pip install "msal[broker]"'),
        OSError("libwebkit2gtk-4.1.so.0: cannot open shared object file"),
        RuntimeError("no broker on this system"),
    ],
    ids=["not installed", "a library is missing", "no broker"],
)


def made(**options: Any) -> Any:
    from azure.identity.broker import InteractiveBrowserBrokerCredential

    return InteractiveBrowserBrokerCredential(**{"parent_window_handle": WINDOW, **options})


def net(times: int = 1, *more: Any) -> ScriptedIO:
    """What the authority answers: its configuration, once for each application."""
    return ScriptedIO(*[CONFIGURATION] * times, *more)


def failure(credential: Any, io: Optional[ScriptedIO] = None, **asked: Any) -> Any:
    with pytest.raises(ClientAuthenticationError) as caught:
        ask(credential, io or net(), SCOPE, **asked)
    return caught.value


# --- the class


def test_it_is_a_browser_credential_that_nobody_has_to_set_up(machine: Machine) -> None:
    """Programs look for the class. Constructing asks nobody."""
    credential = made()

    assert isinstance(credential, InteractiveBrowserCredential)
    assert type(credential).__module__ == "azure.identity.broker"
    assert machine.applications == []
    with pytest.raises(TypeError):
        type(credential)(WINDOW)
    with pytest.warns(UserWarning, match="did you mean 'parent_window_handle'"):
        made(parent_window_handel=1)
    with pytest.raises(ValueError, match="redirect_uri must be an http URL"):
        made(redirect_uri="http://localhost")


def test_what_the_package_exports() -> None:
    import azure.identity.broker as package

    assert sorted(package.__all__) == ["InteractiveBrowserBrokerCredential", "PopTokenRequestOptions"]
    assert package.__version__.count(".") == 2


# --- asking a person


def test_a_person_is_asked_in_the_brokers_window(machine: Machine) -> None:
    """One application, with the broker of every platform; one request with all that the caller configured."""
    io = net()
    credential = made(
        login_hint="ada@contoso.com", redirect_uri="http://localhost:8400", timeout=9, enable_msa_passthrough=True
    )

    found = ask(credential, io, SCOPE)

    assert (found.token, found.expires_on, found.token_type) == ("T1", NOW + 3600, "Bearer")
    assert machine.asked == [
        {
            "scopes": [SCOPE],
            "prompt": "select_account",
            "login_hint": "ada@contoso.com",
            "claims_challenge": None,
            "timeout": 9,
            "port": 8400,
            "parent_window_handle": WINDOW,
            "auth_scheme": None,
            "enable_msa_passthrough": True,
        }
    ]
    [application] = machine.applications
    assert (application.client_id, application.wanted_broker) == ("04b07795-8ddb-461a-bbee-02f9e1bf7b46", True)
    assert application.authority == "https://login.microsoftonline.com/organizations"
    assert io.requests[0].url == application.authority + "/v2.0/.well-known/openid-configuration"
    io.finished()


def test_a_token_is_kept_and_renewed_without_asking_again(machine: Machine) -> None:
    """The broker has what renews it; msal is asked by the account, without a window."""
    io, credential = net(), made()

    assert [ask(credential, io, SCOPE).token for _ in range(3)] == ["T1"] * 3
    assert ask(credential, io, "other/.default").token == "T2"
    io.advance(3500)
    assert ask(credential, io, SCOPE).token == "T3"
    assert machine.prompts == ["select_account"]
    assert [asked["scopes"] for asked in machine.renewed] == [["other/.default"], [SCOPE]]
    io.finished()


def test_an_account_that_cannot_be_renewed_is_asked_again(machine: Machine) -> None:
    machine.renewal = {"error": "interaction_required", "error_description": "AADSTS50076: mfa"}
    io, credential = net(), made()

    ask(credential, io, SCOPE)
    io.advance(3600)
    ask(credential, io, SCOPE)

    assert machine.prompts == ["select_account", "select_account"]


def test_a_program_can_forbid_to_ask(machine: Machine) -> None:
    """Then the error says why, and `authenticate` asks."""
    credential = made(disable_automatic_authentication=True)
    io = net()
    with pytest.raises(AuthenticationRequiredError):
        ask(credential, io, SCOPE)

    record = credential.authenticate(scopes=[SCOPE])
    machine.renewal = {"error": "interaction_required", "error_description": "AADSTS50076: mfa"}
    io.advance(3600)
    with pytest.raises(AuthenticationRequiredError, match="AADSTS50076: mfa"):
        ask(credential, io, SCOPE)

    assert (record.username, record.home_account_id) == ("ada@contoso.com", Account().home_account_id)
    assert record.client_id == "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
    assert machine.prompts == ["select_account"]


@pytest.mark.parametrize(
    ("person", "words"),
    [
        (
            {"error": "broker_error", "error_description": "Cancelled. Status: 6"},
            "Authentication failed: Cancelled. Status",
        ),
        ({"error": "broker_error"}, "Authentication failed: broker_error."),
        ({}, "Authentication failed: the user gave no answer."),
        (None, "Authentication failed: the user gave no answer."),
        ({"access_token": "T"}, "Authentication failed: "),
    ],
)
@pytest.mark.parametrize("context", ["alone", IN_CHAIN, IN_DEFAULT_CHAIN])
def test_a_person_who_does_not_sign_in(machine: Machine, person: Any, words: str, context: str) -> None:
    """Within the default chain the next member is asked."""
    machine.person = person if person is not None else {}

    raised = failure(made(), context=context)

    assert words in str(raised)
    assert isinstance(raised, CredentialUnavailableError) is (context == IN_DEFAULT_CHAIN)
    assert "Help: docs/troubleshooting.md#broker" in str(raised)


def test_what_the_broker_says_shows_no_secret(machine: Machine) -> None:
    machine.person = secret_error()

    assert planted("broker") not in str(failure(made()))


# --- the default account


def test_the_default_account_needs_no_window(machine: Machine) -> None:
    """The person is asked only if that brings nothing."""
    assert ask(made(use_default_broker_account=True), net(), SCOPE).token == "T1"
    assert machine.prompts == ["none"]


@pytest.mark.parametrize(
    "silent", [{"error": "broker_error"}, RuntimeError("boom"), OSError("boom"), ValueError("boom")]
)
def test_without_a_default_account_the_person_is_asked(machine: Machine, silent: Any) -> None:
    machine.silent = silent

    assert ask(made(use_default_broker_account=True), net(), SCOPE).token == "T1"
    assert machine.prompts == ["none", "select_account"]


@pytest.mark.parametrize("context", ["alone", IN_DEFAULT_CHAIN])
@pytest.mark.parametrize(
    ("silent", "unavailable", "words"),
    [
        ({"error": "broker_error", "error_description": "no default account"}, False, "failed: no default account."),
        (RuntimeError("boom"), True, "Failed to authenticate user: boom"),
        (OSError("boom"), True, "Couldn't start an HTTP server: boom"),
    ],
)
def test_silent_means_silent(machine: Machine, silent: Any, unavailable: bool, words: str, context: str) -> None:
    """With `disable_interactive_fallback` nobody is asked, whatever happens."""
    machine.silent = silent

    raised = failure(made(**SILENT), context=context)

    assert machine.prompts == ["none"]
    assert machine.browsers == 0
    assert words in str(raised)
    assert isinstance(raised, CredentialUnavailableError) is (unavailable or context == IN_DEFAULT_CHAIN)


def test_nothing_to_try_is_said(machine: Machine) -> None:
    """Neither silently nor by asking."""
    raised = failure(made(disable_interactive_fallback=True))

    assert "leaves nothing to try without use_default_broker_account" in str(raised)
    assert machine.asked == []


@no_runtime
def test_without_a_runtime_a_silent_credential_does_nothing(machine: Machine, runtime: Exception) -> None:
    """msal would open the browser. Not even the authority is asked. (The published package waits 300 seconds here.)"""
    machine.runtime = runtime
    io = ScriptedIO()

    raised = failure(made(**SILENT), io)

    assert isinstance(raised, CredentialUnavailableError)
    assert f"no authentication broker can be used here: {runtime}" in str(raised)
    assert (machine.applications, machine.browsers) == ([], 0)
    io.finished()


def test_a_runtime_msal_does_not_use_is_none(machine: Machine) -> None:
    """On Intel Macs, say, or with AD FS."""
    machine.uses_broker = False

    raised = failure(made(**SILENT))

    assert isinstance(raised, CredentialUnavailableError)
    assert (machine.asked, machine.browsers) == ([], 0)


def test_a_silent_credential_is_renewed_by_the_broker_alone(machine: Machine) -> None:
    """Also where automatic authentication is off: nobody is asked."""
    credential, io = made(**SILENT, disable_automatic_authentication=True), net()

    assert ask(credential, io, SCOPE).token == "T1"
    io.advance(3600)
    assert ask(credential, io, SCOPE).token == "T2"
    assert machine.prompts == ["none", "none"]


def test_a_token_whose_account_is_not_told_will_do_for_a_silent_credential(machine: Machine) -> None:
    """Nothing else is asked of it."""
    machine.members = {"id_token": None, "client_info": None}

    assert ask(made(**SILENT), net(), SCOPE).token == "T1"
    assert "does not say whose token it is" in str(failure(made()))


@pytest.mark.parametrize("context", ["alone", IN_DEFAULT_CHAIN])
def test_another_default_account_is_not_taken_for_the_records(machine: Machine, context: str) -> None:
    """An identity that is not the expected one would be a surprise."""
    bob = Account("bob")
    record = AuthenticationRecord(bob.tenant, "cid", "login.microsoftonline.com", bob.home_account_id, bob.username)

    raised = failure(made(**SILENT, authentication_record=record), context=context)

    assert "the broker's default account is not the one of the authentication record" in str(raised)
    assert isinstance(raised, CredentialUnavailableError) is (context == IN_DEFAULT_CHAIN)
    machine.default_account = bob
    assert ask(made(**SILENT, authentication_record=record), net(), SCOPE).token == "T2"
    assert machine.applications[-1].client_id == "cid"


# --- without a broker


@no_runtime
def test_where_there_is_no_broker_the_browser_is_used(machine: Machine, runtime: Exception) -> None:
    """By msal, without asking for a broker, and never with prompt=none."""
    machine.runtime = runtime

    assert ask(made(use_default_broker_account=True), net(), SCOPE).token == "T1"
    assert machine.prompts == ["select_account"]
    assert (machine.applications[0].wanted_broker, machine.browsers) == (False, 1)


@pytest.mark.parametrize(("platform", "falls_back"), [("linux", True), ("darwin", True), ("win32", False)])
def test_a_runtime_that_finds_no_broker(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, platform: str, falls_back: bool
) -> None:
    """Outside Windows the browser is used instead."""
    monkeypatch.setattr(sys, "platform", platform)
    credential, io = made(parent_window_handle=None), net(2 if falls_back else 1)

    if falls_back:
        assert ask(credential, io, SCOPE).token == "T1"
        assert [application.wanted_broker for application in machine.applications] == [True, False]
        assert ask(credential, io, "other/.default").token == "T2"
    else:
        assert "Failed to authenticate user: parent_window_handle is required" in str(failure(credential, io))
    assert machine.browsers == int(falls_back)
    io.finished()


# --- tenants, clouds, challenges


def test_each_tenant_and_kind_of_caller_has_an_application(machine: Machine) -> None:
    """Accounts live in it; capabilities are its own."""
    io = net(3)
    credential = made(tenant_id="t0", additionally_allowed_tenants=["t1"], authority="login.microsoftonline.us")

    for asked in ({}, {"tenant": "t1"}, {"cae": True}, {}, {"tenant": "t1"}):
        ask(credential, io, SCOPE, **asked)  # type: ignore[arg-type]

    assert [(made.authority.split("/", 2)[2], made.capabilities) for made in machine.applications] == [
        ("login.microsoftonline.us/t0", None),
        ("login.microsoftonline.us/t1", None),
        ("login.microsoftonline.us/t0", ["CP1"]),
    ]
    assert "not configured to acquire tokens for tenant t2" in str(failure(credential, io, tenant="t2"))
    io.finished()


def test_any_tenant_may_be_asked_where_none_is_configured(machine: Machine) -> None:
    """(The published package refuses.)"""
    ask(made(), net(), SCOPE, tenant="t1")

    assert machine.applications[0].authority.endswith("/t1")


def test_a_challenge_reaches_the_broker(machine: Machine) -> None:
    """When asking, and when renewing."""
    io, credential, claims = net(), made(), '{"access_token":{"acrs":{"essential":true,"values":["p1"]}}}'

    ask(credential, io, SCOPE, claims=claims)
    ask(credential, io, SCOPE, claims=claims)

    assert machine.asked[0]["claims_challenge"] == claims
    assert machine.renewed[0]["claims"] == claims


@pytest.mark.parametrize(
    ("options", "discovery"),
    [
        ({}, False),
        ({"authority": "contoso.example"}, None),
        ({"authority": "x.example", "disable_instance_discovery": True}, False),
    ],
)
def test_who_confirms_the_authority(machine: Machine, options: Any, discovery: Any) -> None:
    """msal, where nobody vouches for it."""
    ask(made(**options), net(), SCOPE)

    assert machine.applications[0].discovery is discovery


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(400, {"error": "invalid_tenant"}), "Authentication failed: Unable to get authority configuration"),
        (reply(503, {}), "Authentication failed: HTTP 503"),
        (Unreachable("https://login.microsoftonline.com/x", "refused"), "https://login.microsoftonline.com/x: refused"),
    ],
    ids=["no such tenant", "out of order", "unreachable"],
)
def test_an_authority_that_does_not_answer(machine: Machine, answer: Any, words: str) -> None:
    """msal's requests go through the credential's pipeline, and their failures are told alike."""
    raised = failure(made(), ScriptedIO(answer))

    assert not isinstance(raised, CredentialUnavailableError)
    assert str(raised).startswith("InteractiveBrowserBrokerCredential: ")
    assert words in str(raised)


# --- proof of possession


def test_a_token_bound_to_a_request_is_not_kept(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is an ordinary one given for it."""
    monkeypatch.setattr(sys, "platform", "win32")
    credential, io = made(), net()

    ordinary = ask(credential, io, SCOPE)
    bound = [
        ask(credential, io, SCOPE, method="get_token_info", extra={"pop": {**POP, "nonce": n}}) for n in ("a", "b")
    ]

    assert [ordinary.token_type, *(token.token_type for token in bound)] == ["Bearer", "pop", "pop"]
    assert [asked["auth_scheme"].bound_to for asked in machine.renewed] == [
        ("GET", "https://x/y", "a"),
        ("GET", "https://x/y", "b"),
    ]
    assert ask(credential, io, SCOPE).token == ordinary.token


@pytest.mark.parametrize(
    ("pop", "words"),
    [
        (True, "pop must be a mapping with resource_request_method"),
        ({"nonce": "n"}, "pop lacks resource_request_method, resource_request_url of the request"),
        ({**POP, "nonce": ""}, "pop lacks nonce"),
        ({**POP, "resource_request_method": "HEAD"}, "resource_request_method must be one of GET, POST"),
    ],
)
def test_a_request_that_is_not_told_completely_is_refused(machine: Machine, pop: Any, words: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(ValueError, match=words):
        made().get_token_info(SCOPE, options={"pop": pop})
    assert machine.applications == []


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have them")
def test_linux_has_no_such_tokens(machine: Machine) -> None:
    assert "The broker on Linux issues no proof-of-possession tokens" in str(failure(made(), extra={"pop": POP}))


def test_requests_with_other_nonces_share_no_flight(machine: Machine) -> None:
    """Whoever comes second needs a token of its own."""
    from azure.identity._values.messages import TokenRequest

    credential = made()
    flights = {
        credential._flight(ask, credential._key(ask))
        for ask in (TokenRequest((SCOPE,), extra={"pop": {**POP, "nonce": n}}) for n in ("a", "b", "b"))
    }

    assert len(flights) == 2


# --- copies


def test_a_copy_starts_without_what_msal_keeps(machine: Machine) -> None:
    """The account is known, its tokens are not."""
    credential, io = made(**SILENT), net()
    ask(credential, io, SCOPE)
    credential._port_ = None

    for again in (pickle.loads(pickle.dumps(credential)), copy.deepcopy(credential)):
        assert "_applications_" not in vars(again)
        assert ask(again, net(), SCOPE).token.startswith("T")
