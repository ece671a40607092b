"""What a credential says when it gets no token from Microsoft Entra ID."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any, Optional

import pytest
from azure.core.exceptions import ClientAuthenticationError
from scripted import NOW, ScriptedIO, ask, refusal, reply, token

from azure.identity import ClientSecretCredential, CredentialUnavailableError
from azure.identity._errors.errors import AuthenticationFailedError
from azure.identity._values.messages import Response, Unreachable

URL = "https://login.microsoftonline.com/tid/oauth2/v2.0/token"


def failure(*replies: Any, scopes: tuple[str, ...] = ("s/.default",)) -> AuthenticationFailedError:
    """The error that a script ends in, which has been followed to its end."""
    io = ScriptedIO(*replies)
    with pytest.raises(AuthenticationFailedError) as caught:
        ask(ClientSecretCredential("tid", "cid", "s3cret-value"), io, *scopes)
    io.finished()

    assert isinstance(caught.value, ClientAuthenticationError)
    assert not isinstance(caught.value, CredentialUnavailableError)
    assert "s3cret-value" not in repr(caught.value) + str(caught.value)
    return caught.value


def test_the_whole_message() -> None:
    """Who, what was asked, what came back, and what to do."""
    error = failure(
        refusal(
            "invalid_client",
            "AADSTS7000215: Invalid client secret provided.",
            error_codes=[7000215],
            trace_id="trace",
            correlation_id="correlation",
        ),
        scopes=("s1", "s2"),
    )

    assert str(error) == (
        "ClientSecretCredential: Microsoft Entra ID refused a token for s1 s2 (application cid, tenant tid). "
        "Authentication failed: (invalid_client) AADSTS7000215: Invalid client secret provided. "
        "(correlation id: correlation, trace id: trace)\n"
        "The client secret is wrong. Make sure it is the secret's value, not its id, and belongs to this application. "
        "Help: docs/troubleshooting.md#wrong-secret"
    )
    assert error.message == str(error)


def test_the_facts_are_attributes() -> None:
    """Programs need not parse the text."""
    raw = object()
    answer = refusal(
        "invalid_grant",
        "AADSTS50076: Use another factor. Trace ID: t Correlation ID: c",
        400,
        suberror="basic_action",
        claims='{"access_token":{}}',
        trace_id="t",
        correlation_id="c",
    )

    error = failure(answer._replace(raw=raw))

    assert error.response is raw
    assert (error.error_code, error.error_codes) == ("invalid_grant", (50076,))
    assert (error.suberror, error.claims) == ("basic_action", '{"access_token":{}}')
    assert (error.correlation_id, error.trace_id) == ("c", "t")
    assert "(correlation id:" not in str(error), "the description says it already"


@pytest.mark.parametrize(
    ("code", "words", "section"),
    [
        (7000215, "client secret is wrong", "wrong-secret"),
        (7000222, "client secret has expired", "wrong-secret"),
        (700016, "application does not exist in this tenant", "unknown-application"),
        (90002, "tenant does not exist", "unknown-tenant"),
        (700027, "certificate is not registered", "certificate-refused"),
        (700024, "outside its time of validity", "clock-skew"),
        (700213, "No federated credential", "federated-credential"),
        (1002012, "/.default", "wrong-scope"),
        (500011, "resource of the scope does not exist", "wrong-scope"),
        (53003, "Conditional Access", "conditional-access"),
        (100007, "AZURE_REGIONAL_AUTHORITY_NAME", "regional-authority"),
    ],
)
def test_a_known_code_leads_to_advice(code: int, words: str, section: str) -> None:
    """Found in the description, where `error_codes` is missing."""
    text = str(failure(refusal("invalid_request", f"AADSTS{code}: Because.")))

    assert words in text
    assert text.endswith(f"Help: docs/troubleshooting.md#{section}")


@pytest.mark.parametrize(
    ("answer", "words", "section"),
    [
        (refusal("invalid_client"), "secret, certificate or assertion was not accepted", "wrong-secret"),
        (refusal("something_new", "Words."), "See the description above.", "refused"),
        (refusal("server_error", status=500), "Try again in a while.", "service-trouble"),
    ],
    ids=["a client that is not accepted", "an unknown error", "a server's error"],
)
def test_an_unknown_code_leads_to_the_kind_of_error(answer: Response, words: str, section: str) -> None:
    """Rather general advice than none."""
    text = str(failure(answer))

    assert words in text
    assert text.endswith(f"#{section}")


@pytest.mark.parametrize(
    "trouble",
    [refusal("invalid_grant", "AADSTS90033: A transient error has occurred."), refusal("temporarily_unavailable")],
    ids=["AADSTS90033", "temporarily_unavailable"],
)
def test_temporary_trouble_is_worth_one_pause_and_one_more_request(trouble: Response) -> None:
    """With an id of its own, and times that count from it."""
    io = ScriptedIO(trouble, token("T1", expires_in=100))

    found = ask(ClientSecretCredential("tid", "cid", "s"), io)

    assert (found.token, found.expires_on) == ("T1", NOW + 101)
    assert io.slept == [1.0]
    assert io.requests[0].headers["client-request-id"] != io.requests[1].headers["client-request-id"]
    io.finished()


def test_lasting_trouble_is_not_asked_a_third_time() -> None:
    """The second answer is told at once, without another pause."""
    io = ScriptedIO(*(refusal("temporarily_unavailable", f"AADSTS90033: {words}.", 400) for words in ("once", "twice")))

    with pytest.raises(AuthenticationFailedError, match="AADSTS90033: twice") as caught:
        ask(ClientSecretCredential("tid", "cid", "s"), io)

    assert "The service had a temporary problem." in str(caught.value)
    assert io.slept == [1.0]
    io.finished()


def test_what_the_retry_policy_repeats_the_flow_does_not_repeat_again() -> None:
    """A 503 with AADSTS90033 once cost eight requests: four by the policy, twice."""
    io = ScriptedIO(refusal("temporarily_unavailable", "AADSTS90033: again.", 503))

    with pytest.raises(AuthenticationFailedError, match="AADSTS90033"):
        ask(ClientSecretCredential("tid", "cid", "s"), io)

    assert io.slept == []
    io.finished()


def test_who_wants_no_retries_gets_none() -> None:
    """`retry_total=0` means one attempt, whoever would repeat it."""
    io = ScriptedIO(refusal("temporarily_unavailable"))

    with pytest.raises(AuthenticationFailedError):
        ask(ClientSecretCredential("tid", "cid", "s", retry_total=0), io)

    io.finished()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(
            Response(200, {"content-type": "text/html"}, b"<html>Sign in to the Wi-Fi"),
            "the answer (HTTP 200, text/html) is not a JSON object",
            id="a web page where a token belongs",
        ),
        pytest.param(
            reply(200, {"id_token": "x"}),
            "the answer (HTTP 200) has no 'access_token'; its members: id_token",
            id="no token",
        ),
        pytest.param(
            reply(200, {"access_token": "SECRET-TOKEN"}), "neither 'expires_on' nor 'expires_in'", id="no lifetime"
        ),
        pytest.param(
            Response(503, {"content-type": "text/html"}, b"<h1>Service\n   unavailable</h1>"),
            "HTTP 503 (text/html): <h1>Service unavailable</h1>",
            id="a web page of a server in trouble",
        ),
        pytest.param(
            Response(502, {"content-type": "text/html"}, b"x" * 5000), "x" * 160 + "...", id="a long page is cut short"
        ),
        pytest.param(Response(403, {"content-type": "text/plain"}), "HTTP 403 (empty)", id="nothing but a status"),
        pytest.param(
            Response(404, {"content-type": "image/png"}, b"\x89PNG"), "HTTP 404 (image/png, 4 bytes)", id="a picture"
        ),
        pytest.param(Response(302, {"location": "/x"}), "HTTP 302 (no content type, 0 bytes)", id="a redirect"),
        pytest.param(
            Response(429, {"retry-after": "17"}),
            "HTTP 429: the service is limiting requests and asks to wait 17 seconds",
            id="a limit with a time to wait",
        ),
        pytest.param(Response(429), "HTTP 429: the service is limiting requests.", id="a limit"),
    ],
)
def test_an_answer_that_is_neither_token_nor_error(answer: Response, words: str) -> None:
    """The message names the address, the status and the media type, and shows an excerpt of a text."""
    text = str(failure(answer))

    assert text.startswith(f"ClientSecretCredential: {URL} gave no usable answer: ")
    assert words in text
    assert "SECRET-TOKEN" not in text
    assert text.endswith("Help: docs/troubleshooting.md#unusable-answer")


def test_an_error_in_a_success_is_an_error() -> None:
    """Some proxies turn all statuses into 200."""
    text = str(failure(reply(200, {"error": "invalid_scope", "error_description": "AADSTS70011: Bad."})))

    assert "(invalid_scope) AADSTS70011: Bad." in text


def test_the_service_says_how_long_to_wait() -> None:
    """With an error it can say so too."""
    answer = refusal("temporarily_unavailable", "Busy.", 429)
    answer = answer._replace(headers={**answer.headers, "retry-after": "42"})

    assert "The service asks to wait 42 seconds." in str(failure(answer, answer))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-600, "This machine's clock is 600 seconds ahead of the server's: correct it."),
        (600, "This machine's clock is 600 seconds behind the server's: correct it."),
        (60, None),
        (-120, None),
    ],
    ids=["ahead", "behind", "a minute", "two minutes"],
)
def test_a_wrong_clock_is_mentioned(seconds: int, words: Optional[str]) -> None:
    """Assertions are refused for it, with words that do not say so."""
    answer = refusal("invalid_client", "AADSTS700027: The certificate is not registered.")
    date = formatdate(NOW + seconds, usegmt=True)

    text = str(failure(answer._replace(headers={**answer.headers, "date": date})))

    if words is None:
        assert "clock" not in text
    else:
        assert words in text
        assert text.endswith("#clock-skew")


NETWORK = "Check the network, the proxy settings (HTTPS_PROXY), and the authority (AZURE_AUTHORITY_HOST)."
FIREWALL = "Check the network, the proxy settings (HTTPS_PROXY) and firewalls."
CERTIFICATES = (
    "If a proxy or a private authority uses certificates of its own, name its CA file in REQUESTS_CA_BUNDLE or by "
    "connection_verify."
)


@pytest.mark.parametrize(
    ("kind", "step"),
    [("connection", NETWORK), ("timeout", FIREWALL), ("tls", CERTIFICATES), ("response", NETWORK)],
)
def test_an_authority_that_cannot_be_reached(kind: str, step: str) -> None:
    """What to do depends on the kind of trouble; the cause is kept."""
    cause = Unreachable(URL + "?secret=1", "no route", kind=kind)

    error = failure(cause)

    assert str(error) == (
        f"ClientSecretCredential: {URL} cannot be reached: no route. {step} Help: docs/troubleshooting.md#no-connection"
    )
    assert error.__cause__ is cause
    assert error.response is None


@pytest.mark.parametrize(
    "answer",
    [
        refusal("invalid_client", "You said s3cret-value."),
        refusal("s3cret-value"),
        refusal("invalid_client", correlation_id="s3cret-value", trace_id="s3cret-value"),
        reply(400, {"error": {"code": "s3cret-value", "message": "s3cret-value"}}),
        Response(500, {"content-type": "text/html"}, b"<td>s3cret-value</td>"),
        Response(500, {"content-type": "text/plain"}, b"client_secret=s3cret-value&x=1"),
    ],
    ids=["description", "error", "ids", "OData", "a page", "an echo of the form"],
)
def test_a_secret_that_a_server_sends_back_is_not_shown(answer: Response) -> None:
    """Proxies and debug pages repeat what they were sent. (`failure` looks for the secret in the text.)"""
    assert "***" in str(failure(answer))


def test_a_failure_is_not_remembered() -> None:
    """The next request asks again."""
    io, cred = ScriptedIO(refusal("invalid_client"), token("T1")), ClientSecretCredential("tid", "cid", "s")

    with pytest.raises(ClientAuthenticationError):
        ask(cred, io)

    assert ask(cred, io).token == "T1"
    io.finished()
