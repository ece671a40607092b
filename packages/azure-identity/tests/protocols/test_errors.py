"""Exceptions, and what a message may show."""

from __future__ import annotations

import json
import pickle
from typing import Any, ClassVar

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from hypothesis import given
from hypothesis import strategies as st

from azure.identity import AuthenticationRequiredError, CredentialUnavailableError
from azure.identity._errors.diagnosis import COULD_NOT_TRY, FAILED, Attempt, report
from azure.identity._errors.errors import AuthenticationFailedError, redacted
from azure.identity._values.messages import Command, Completed, Request, Response, Token, TokenRequest

JWT = "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJzIn0.c2lnbmF0dXJl"
SECRET = "0paque~S3cret.value"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"accessToken": "SECRET"}', id="az"),
        pytest.param('{"accessToken":"SECRET"}', id="az, compact"),
        pytest.param('{"access_token" : "SECRET", "x": 1}', id="OAuth"),
        pytest.param('{"token": "SECRET"}', id="azd"),
        pytest.param('{"Token":"SECRET"}', id="PowerShell"),
        pytest.param('{"refresh_token":"SECRET"}', id="refresh token"),
        pytest.param('{"idToken":"SECRET"}', id="id token"),
        pytest.param('{"clientSecret": "SECRET"}', id="client secret"),
        pytest.param('{"client_assertion": "SECRET"}', id="assertion"),
        pytest.param('{"password": "SECRET"}', id="password"),
        pytest.param("{'accessToken': 'SECRET'}", id="Python's quotes"),
        pytest.param('{"accessToken": SECRET}', id="no quotes"),
        pytest.param('{"accessToken": "SECRET and more', id="no end"),
        pytest.param('{"accessToken": "a\\"SECRET"}', id="a quote within"),
        pytest.param('{"message": "{\\"accessToken\\": \\"SECRET\\"}"}', id="JSON in JSON"),
        pytest.param('{"m": "{\\\\\\"token\\\\\\":\\\\\\"SECRET\\\\\\"}"}', id="JSON in JSON in JSON"),
        pytest.param("client_secret=SECRET&x=1", id="a form"),
        pytest.param("https://h/?access_token=SECRET", id="a query"),
        pytest.param("https://h/#id_token=SECRET", id="a fragment"),
        pytest.param("client_assertion=SECRET", id="an assertion in a form"),
        pytest.param("Authorization: Bearer SECRET", id="a header"),
        pytest.param("authorization: bearer SECRET", id="a header in lower case"),
    ],
)
def test_secrets_are_found_in_every_spelling(text: str) -> None:
    """Tools and services print tokens in many ways; opaque ones can only be told by what stands before them."""
    shown = redacted(text.replace("SECRET", SECRET))

    assert SECRET not in shown
    assert "S3cret" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text",
    [JWT, f"x {JWT} y", f'"{JWT}"', f"azsdk%{JWT}%1", JWT + ".d.e", f"{JWT},{JWT}", JWT.rpartition(".")[0]],
    ids=["alone", "in a sentence", "in quotes", "between signs", "encrypted, five parts", "two", "without signature"],
)
def test_a_json_web_token_is_found_wherever_it_stands(text: str) -> None:
    """Two or more base64url parts, the first of which begins like a JSON object."""
    shown = redacted(text)

    assert "***" in shown
    for part in JWT.split("."):
        assert part not in shown
    assert ".d.e" not in shown


def test_the_credentials_own_secret_is_hidden_wherever_a_server_repeats_it() -> None:
    """No pattern is needed for what is known."""
    assert redacted(f"you said {SECRET}, really {SECRET}?", SECRET, "") == "you said ***, really ***?"


@pytest.mark.parametrize(
    "text",
    [
        "AADSTS7000215: Invalid client secret provided. Trace ID: a.b.c Correlation ID: 12",
        "The token has expired. Please run: az login",
        'subscription "my token" of password reset',
        "eyJ is how such a token begins",
    ],
)
def test_plain_words_stay(text: str) -> None:
    """A message is for reading."""
    assert redacted(text) == text


def test_foreign_text_is_made_printable_and_short() -> None:
    """Escape sequences would drive a terminal; a page of HTML would bury the message."""
    assert redacted(" a\x1b[31mb\x00\tc\nd ") == "a?[31mb?\tc\nd"
    assert redacted("x" * 2000, limit=10) == "x" * 10 + "..."


@given(st.text(max_size=20), st.text(max_size=20), st.text(alphabet="abcdefghijklmnop0123456789", min_size=8))
def test_the_value_of_a_token_member_is_never_shown(before: str, after: str, secret: str) -> None:
    """Whatever stands around it, escaped as JSON escapes it."""
    document = json.dumps({"accessToken": before.replace('"', "") + secret, "x": 1})

    assert secret not in redacted(document + after.replace(secret, ""), limit=10_000)


@given(st.text(), st.text(min_size=1), st.integers(min_value=0, max_value=50))
def test_redaction_never_raises_nor_lengthens_beyond_its_limit(text: str, secret: str, limit: int) -> None:
    """The result is printable but for line breaks and tabs."""
    shown = redacted(text, secret, limit=limit)

    assert len(shown) <= limit + 3
    assert all(character.isprintable() or character in "\n\t" for character in shown)


def test_could_not_try_is_a_kind_of_authentication_error() -> None:
    """Old handlers catch it; new ones can tell it apart. Its text is what it was given."""
    error = CredentialUnavailableError(message="m")

    assert isinstance(error, ClientAuthenticationError)
    assert (str(error), error.message, error.response) == ("m", "m", None)


def test_a_required_sign_in_says_how_to_begin_it() -> None:
    """With what to ask for."""
    error = AuthenticationRequiredError(["s"])

    assert error.scopes == ["s"]
    assert error.claims is None
    assert "authenticate" in error.message


@pytest.mark.parametrize(
    "error",
    [
        CredentialUnavailableError("m"),
        AuthenticationRequiredError(["s"], "m", claims="c"),
        AuthenticationFailedError(
            "m",
            error_code="e",
            error_codes=[1],
            suberror="s",
            claims="c",
            correlation_id="i",
            trace_id="t",
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_a_pickle(error: Any) -> None:
    """As between processes; without the response, which belongs to one of them."""
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    for name in ("scopes", "claims", "error_code", "error_codes", "suberror", "correlation_id", "trace_id"):
        assert getattr(copy, name, None) == getattr(error, name, None)


class _RawResponse:
    status_code = 401
    reason = "Unauthorized"
    headers: ClassVar[dict[str, str]] = {}

    def text(self, encoding: Any = None) -> str:
        return '{"error": {"code": "C", "message": "the body"}}'

    def body(self) -> bytes:
        return self.text().encode()


@pytest.mark.parametrize("kind", [AuthenticationFailedError, CredentialUnavailableError])
def test_a_response_does_not_take_over_the_message(kind: Any) -> None:
    """azure-core would replace the message by an OData error and append the body."""
    error = kind("m", _RawResponse())

    assert (error.message, str(error), error.status_code, error.reason) == ("m", "m", 401, "Unauthorized")
    assert isinstance(error, HttpResponseError)
    assert error.response is not None


@pytest.mark.parametrize(
    "value",
    [
        Token("SECRET", 1),
        TokenRequest(("s",), claims="SECRET"),
        Request("POST", "https://h/p?code=SECRET", {"a": "SECRET"}, {"b": "SECRET"}),
        Response(200, {"set-cookie": "SECRET"}, b"SECRET"),
        Command(("az", "SECRET"), 1, {"a": "SECRET"}),
        Completed(0, "SECRET", "SECRET"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_travel_show_no_secret(value: Any) -> None:
    """A repr ends up in logs and in reports of failed tests."""
    assert "SECRET" not in repr(value)
    assert type(value).__name__ in repr(value)


def _attempt(name: str, outcome: str, reason: str) -> Attempt:
    return Attempt(name, outcome, reason, 12, ValueError("x"))


def test_a_chains_report_lists_what_was_asked_and_what_to_do() -> None:
    """The first lines are those programs and guides look for."""
    text = report(
        "Chain", [_attempt("A", COULD_NOT_TRY, "A: not here\nsecond line"), _attempt("B", FAILED, "no")], ["C"]
    )

    assert text.splitlines()[:8] == [
        "Chain failed to retrieve a token from the included credentials.",
        "Attempted credentials:",
        "\tA: not here",
        "\t\tsecond line",
        "\t\t[could not try, 12 ms]",
        "\tB: no",
        "\t\t[tried and failed, 12 ms]",
        "Not asked, because the last one above was refused: C.",
    ]


def test_an_attempt_without_a_reason_is_only_named() -> None:
    """A foreign credential may raise an error without text."""
    assert "\tA\n\t\t[could not try, 12 ms]\n" in report("Chain", [_attempt("A", COULD_NOT_TRY, " ")], [])


@pytest.mark.parametrize(
    "said",
    [
        "A: not here. Help: docs/x.md#y",
        "A authentication unavailable. not here. Help: docs/x.md#y",
        "A authentication unavailable: not here.\nHelp: docs/x.md#y",
        "not here. Help: docs/x.md#y",
    ],
)
def test_what_a_reason_and_the_list_both_say_is_said_once(said: str) -> None:
    """The member's name. Its help link goes to a line of its own, beside how it ended."""
    lines = report("Chain", [_attempt("A", COULD_NOT_TRY, said)], []).splitlines()

    assert lines[2:4] == ["\tA: not here.", "\t\t[could not try, 12 ms] Help: docs/x.md#y"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('{"error": "x", "access_token": "secret", "n": 1}', '{"error": "x", "access_token": "***", "n": 1}'),
        ("grant_type=a&client_secret=secret&scope=s", "grant_type=a&client_secret=***&scope=s"),
        ("Authorization: Bearer secret, Accept: */*", "Authorization: Bearer ***, Accept: */*"),
    ],
)
def test_what_is_not_secret_stays_as_it_was(said: str, shown: str) -> None:
    """A message without its reason helps nobody."""
    assert redacted(said) == shown
