"""A person who signs in in the web browser: what it is opened on, what may come back, and how it ends."""

from __future__ import annotations

from typing import Any, Mapping, Optional
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from people import ADA, CODE, answering, comes_back
from scripted import ScriptedIO, refusal, reply, token

from azure.identity import CredentialUnavailableError
from azure.identity._outside.redirects import CannotListen
from azure.identity._values.messages import IN_CHAIN, IN_DEFAULT_CHAIN, Unreachable

VAULT = "https://vault.azure.net/.default"
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.name))


def browser(face: Face = FACES[0], **options: Any) -> Any:
    return face.package.InteractiveBrowserCredential(**options)


def signing_in(answer: Any = None) -> ScriptedIO:
    io = ScriptedIO(comes_back)
    io.will(answering(io, answer if answer is not None else ADA.token("T1")))
    return io


def query(io: ScriptedIO) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(io.opened_urls[-1]).query).items()}


@each_face
def test_a_sign_in_takes_one_request(face: Face) -> None:
    """The browser is opened on the sign-in page, and the code it brings is redeemed with the verifier."""
    io = signing_in()

    assert face.ask(browser(face, tenant_id="tid", client_id="cid"), io, VAULT).token == "T1"

    assert io.opened_urls[0].startswith("https://login.microsoftonline.com/tid/oauth2/v2.0/authorize?")
    asked, [form], [listener] = query(io), io.forms, io.listeners
    assert asked["redirect_uri"] == form["redirect_uri"] == f"http://localhost:{listener.port}"
    assert (listener.host, listener.path) == ("localhost", "")
    assert asked["state"] == listener.state
    assert len({asked["state"], asked["nonce"], form["code_verifier"]}) == 3
    assert {**form, "code_verifier": ""} == {
        "grant_type": "authorization_code",
        "client_id": "cid",
        "code": CODE,
        "redirect_uri": asked["redirect_uri"],
        "scope": f"{VAULT} offline_access openid profile",
        "client_info": "1",
        "code_verifier": "",
    }
    assert form["code_verifier"] not in io.opened_urls[0]
    io.finished()


def test_the_page_tells_the_truth_and_nothing_listens_afterwards() -> None:
    """Success is shown when there is a token."""
    io = signing_in()

    FACES[0].ask(browser(), io, VAULT)

    [listener] = io.listeners
    assert listener.shown == [None]
    assert listener.closed


def test_each_sign_in_has_its_own_secrets() -> None:
    """Random ones."""
    io, cred = signing_in(), browser()
    FACES[0].ask(cred, io, VAULT)
    first = query(io)
    io.will(comes_back, answering(io, ADA.token("T2")))
    from scripted import on, run

    run(on(io, cred)._authenticate(io, cred._asked_to_sign_in([VAULT], None, None, False, {})))

    assert {first[name] for name in ("state", "nonce", "code_challenge")}.isdisjoint(query(io).values())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"error": "access_denied", "error_description": "AADSTS65004: Declined."}, "(access_denied) AADSTS65004"),
        ({"error": "server_error"}, "(server_error) The sign-in page gave no reason."),
        ({"error": "access_denied", "code": CODE}, "(access_denied)"),
        ({"code": ""}, "came back without a code"),
        ({}, "came back without a code"),
    ],
    ids=["declined", "no description", "an error and a code", "an empty code", "nothing"],
)
def test_a_sign_in_that_brings_no_code(answer: Mapping[str, str], text: str) -> None:
    """No token is asked for, and the page says what the error says."""
    io = ScriptedIO(answer)

    with pytest.raises(ClientAuthenticationError) as caught:
        FACES[0].ask(browser(), io, VAULT)

    assert text in str(caught.value)
    assert not isinstance(caught.value, CredentialUnavailableError)
    assert io.requests == []
    [listener] = io.listeners
    assert listener.shown == [str(caught.value)]
    assert listener.closed


def test_the_error_of_the_sign_in_page_is_an_attribute() -> None:
    """Programs need not search the text."""
    with pytest.raises(ClientAuthenticationError) as caught:
        FACES[0].ask(browser(), ScriptedIO({"error": "access_denied"}), VAULT)

    assert caught.value.error_code == "access_denied"  # type: ignore[attr-defined]


def test_a_refused_code_is_told_on_the_page_too() -> None:
    """With the reason."""
    io = signing_in(refusal("invalid_grant", "AADSTS70008: The code has expired.", 400))

    with pytest.raises(ClientAuthenticationError, match="AADSTS70008"):
        FACES[0].ask(browser(), io, VAULT)

    assert "AADSTS70008" in str(io.listeners[0].shown)


@pytest.mark.parametrize("nonce", ["another", None, 5])
def test_an_id_token_of_another_sign_in_is_refused(nonce: Any) -> None:
    """Its nonce is that of the request (OpenID Connect Core, section 3.1.3.7)."""
    from people import encoded

    claims = {"sub": "s", **({"nonce": nonce} if nonce is not None else {})}
    id_token = f"{encoded({})}.{encoded(claims)}.s"
    io = ScriptedIO(comes_back, token("T1", id_token=id_token))

    with pytest.raises(ClientAuthenticationError, match="its nonce differs"):
        FACES[0].ask(browser(), io, VAULT)
    assert "its nonce differs" in str(io.listeners[0].shown)


def test_an_answer_without_an_id_token_is_enough_if_it_names_the_account() -> None:
    """PKCE already binds the code to this sign-in."""
    io = signing_in(ADA.token("T1", id_token=None))

    assert FACES[0].ask(browser(), io, VAULT).token == "T1"


@pytest.mark.parametrize(("context", "unavailable"), [("alone", False), (IN_CHAIN, False), (IN_DEFAULT_CHAIN, True)])
def test_nobody_signs_in(context: str, unavailable: bool) -> None:
    """After `timeout` seconds. In the default chain other members may do without a person."""
    io = ScriptedIO(None)

    with pytest.raises(ClientAuthenticationError) as caught:
        FACES[0].ask(browser(timeout=5), io, VAULT, context=context)

    assert str(caught.value) == (
        "InteractiveBrowserCredential: Timed out after waiting 5 seconds for the user to authenticate. "
        "Help: docs/troubleshooting.md#sign-in"
    )
    assert isinstance(caught.value, CredentialUnavailableError) is unavailable
    assert io.listeners[0].closed


def test_the_timeout_is_300_seconds_unless_given() -> None:
    """In all."""
    io = ScriptedIO(None)
    began = io.stopwatch()

    with pytest.raises(ClientAuthenticationError):
        FACES[0].ask(browser(), io, VAULT)

    assert io.stopwatch() - began == 300


@pytest.mark.parametrize("timeout", [0, -1, "5", True, float("nan")])
def test_a_timeout_is_a_positive_number(timeout: Any) -> None:
    with pytest.raises(ValueError, match="timeout must be a positive number of seconds"):
        browser(timeout=timeout)


# --- where it cannot begin


def test_where_no_browser_can_be_shown_nothing_is_tried() -> None:
    """A chain goes on."""
    io = ScriptedIO()
    io.why_no_browser = "the program runs without a display"

    with pytest.raises(CredentialUnavailableError) as caught:
        FACES[0].ask(browser(), io, VAULT)

    assert str(caught.value) == (
        "InteractiveBrowserCredential: no browser can be opened here, because the program runs without a display. "
        "Use DeviceCodeCredential. Help: docs/troubleshooting.md#sign-in"
    )
    assert (io.listeners, io.opened_urls, io.requests) == ([], [], [])


def test_a_browser_that_does_not_open() -> None:
    """The same, and nothing listens any more."""
    io = ScriptedIO(browser=False)

    with pytest.raises(CredentialUnavailableError, match="Failed to open a browser"):
        FACES[0].ask(browser(), io, VAULT)

    assert io.listeners[0].closed
    io.finished()


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked to sign in."""
    io = ScriptedIO()

    async def listen(*_: Any) -> Any:
        raise CannotListen("cannot listen on localhost:8400: Address already in use")

    monkeypatch.setattr(io, "listen", listen)
    with pytest.raises(CredentialUnavailableError, match=r"Couldn't start an HTTP server: .*8400.*in use"):
        FACES[0].ask(browser(redirect_uri="http://localhost:8400"), io, VAULT)
    assert io.opened_urls == []


def test_the_listener_is_closed_when_the_wait_is_interrupted() -> None:
    """By Ctrl-C, say."""
    io = ScriptedIO(KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        FACES[0].ask(browser(), io, VAULT)
    assert io.listeners[0].closed


def test_a_network_that_is_down_after_the_sign_in() -> None:
    """The page says so."""
    io = signing_in(Unreachable("https://login.microsoftonline.com/x", "refused"))

    with pytest.raises(ClientAuthenticationError, match="cannot be reached"):
        FACES[0].ask(browser(), io, VAULT)
    assert "cannot be reached" in str(io.listeners[0].shown)


def test_an_unknown_authority_is_confirmed_before_the_browser_is_opened_on_it() -> None:
    """A person must not be sent to a stranger's sign-in page."""
    io = ScriptedIO(reply(400, {"error": "invalid_instance"}))

    with pytest.raises(ClientAuthenticationError, match="could not be confirmed"):
        FACES[0].ask(browser(authority="login.evil.example"), io, VAULT)
    assert (io.listeners, io.opened_urls) == ([], [])


# --- options


@pytest.mark.parametrize(
    ("uri", "host", "port", "path"),
    [
        ("http://localhost:8400", "localhost", 8400, ""),
        ("http://localhost:8400/", "localhost", 8400, "/"),
        ("http://LOCALHOST:1", "localhost", 1, ""),
        ("http://127.0.0.1:65535/auth/callback", "127.0.0.1", 65535, "/auth/callback"),
        ("http://[::1]:8400/x", "::1", 8400, "/x"),
    ],
)
def test_a_redirect_uri_of_the_applications_own(uri: str, host: str, port: int, path: str) -> None:
    """It is sent as it is, in both requests; the path is the only one an answer may come to."""
    io = signing_in()

    FACES[0].ask(browser(redirect_uri=uri), io, VAULT)

    [listener] = io.listeners
    assert (listener.host, listener.port, listener.path) == (host, port, path)
    assert query(io)["redirect_uri"] == io.forms[0]["redirect_uri"] == uri.lower()


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost",
        "host",
        "host:42",
        "localhost:8400",
        "https://localhost:8400",
        "http://localhost:0",
        "http://localhost:65536",
        "http://localhost:99999",
        "http://localhost:x",
        "http://:8400",
        "http://0.0.0.0:8400",
        "http://192.168.0.1:8400",
        "http://example.com:8400",
        "http://localhost.example.com:8400",
        "http://localhost@example.com:8400",
        "http://user@localhost:8400",
        "http://localhost:8400/?a=b",
        "http://localhost:8400/#f",
        "http://localhost:8400/a b",
        "http://localhost:8400\n",
        "http://[::2]:8400",
        "http://[::1",
    ],
)
def test_a_redirect_uri_others_could_receive_is_refused(uri: str) -> None:
    """By the constructor. Without a port it cannot be listened to."""
    with pytest.raises(ValueError, match="redirect_uri must be an http URL of this machine with host and port"):
        browser(redirect_uri=uri)


@pytest.mark.parametrize("empty", ["", None])
def test_empty_options_are_none(empty: Optional[str]) -> None:
    """The developers' application, any organization, a free port, no hint."""
    io = signing_in()
    cred = browser(tenant_id=empty, client_id=empty, redirect_uri=empty, login_hint=empty, timeout=None)

    FACES[0].ask(cred, io, VAULT)

    assert query(io)["client_id"] == "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
    assert "login_hint" not in query(io)
    assert "/organizations/" in io.opened_urls[0]


def test_a_login_hint_is_for_the_sign_in_page() -> None:
    """Alone."""
    io = signing_in()

    FACES[0].ask(browser(login_hint="ada@contoso.com"), io, VAULT)

    assert query(io)["login_hint"] == "ada@contoso.com"
    assert "ada" not in str(io.forms)


def test_what_the_page_says_is_not_the_code() -> None:
    """Should the authority's error repeat it."""
    io = ScriptedIO({"code": planted("c"), "error": "x", "error_description": f"You have the code {planted('c')}."})

    with pytest.raises(ClientAuthenticationError):
        FACES[0].ask(browser(), io, VAULT)
    assert "You have the code ***." in str(io.listeners[0].shown)
