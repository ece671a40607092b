"""The network trace that `logging_enable=True` asks for: everything about an exchange but its secrets."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity._outside.http.trace import SHOWN_FIELDS, SHOWN_HEADERS, shown_body, shown_headers, shown_url

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
SECRETS = st.text(alphabet="0123456789", min_size=24)


def test_a_url_keeps_its_place_and_loses_its_secrets() -> None:
    """Names of parameters stay, and values of those known to be harmless."""
    assert shown_url("https://h/p?api-version=1&code=SECRET&scope=s") == (
        "https://h/p?api-version=1&code=REDACTED&scope=s"
    )


def test_headers_are_listed_by_name() -> None:
    """In any case."""
    assert shown_headers({"Authorization": "SECRET", "X-Identity-Header": "SECRET", "Retry-After": "7"}) == (
        "Authorization: REDACTED\nX-Identity-Header: REDACTED\nRetry-After: 7"
    )


def test_where_a_redirect_leads_is_shown_without_what_it_carries() -> None:
    """Sign-ins come back with codes and tokens in the query and fragment."""
    assert shown_headers({"Location": "https://h/p?code=SECRET&scope=s#access_token=SECRET"}) == (
        "Location: https://h/p?code=REDACTED&scope=s"
    )
    assert shown_headers({"Location": "https://[?code=SECRET"}) == "Location: REDACTED"


def test_a_form_is_listed_by_field() -> None:
    """A grant shows what it asks for, and not what it proves itself with."""
    body = urlencode({"grant_type": "client_credentials", "client_secret": "SECRET", "client_assertion": "SECRET"})

    assert shown_body(body, FORM) == (
        "grant_type=client_credentials\nclient_secret=REDACTED\nclient_assertion=REDACTED"
    )


def test_an_answer_is_listed_by_member() -> None:
    """With its times, without its tokens."""
    body = json.dumps(
        {"access_token": "SECRET", "expires_in": 3599, "refresh_token": "SECRET", "client_info": "SECRET"}
    )

    assert shown_body(body.encode(), JSON) == (
        "access_token=REDACTED\nexpires_in=3599\nrefresh_token=REDACTED\nclient_info=REDACTED"
    )


@pytest.mark.parametrize(
    ("body", "shown"),
    [(b"", ""), (b"<html>SECRET", "(12 bytes)"), (b'["SECRET"]', "(10 bytes)"), (b"\xff\xfe", "(2 bytes)")],
    ids=["nothing", "a web page", "a list", "no text"],
)
def test_of_anything_else_only_the_length_is_shown(body: bytes, shown: str) -> None:
    """It may be anything."""
    assert shown_body(body, JSON) == shown


def test_a_body_too_deep_to_read_does_not_break_the_request() -> None:
    """It is a log only. (The parser's RecursionError escaped at first.)"""
    assert shown_body(b"[" * 100_000, JSON) == "(100000 bytes)"


def test_nothing_that_proves_or_grants_is_shown() -> None:
    """The lists of what is harmless hold none of these."""
    assert not SHOWN_FIELDS & {
        "access_token",
        "assertion",
        "client_assertion",
        "client_info",
        "client_secret",
        "code",
        "code_verifier",
        "device_code",
        "id_token",
        "password",
        "refresh_token",
        "username",
    }
    assert not SHOWN_HEADERS & {"authorization", "cookie", "proxy-authorization", "set-cookie", "x-identity-header"}


@given(st.dictionaries(st.text(alphabet="abc_", min_size=1), SECRETS), st.booleans())
def test_the_value_of_a_field_nobody_knows_is_never_shown(fields: dict[str, str], form: bool) -> None:
    """As a form and as JSON."""
    shown = shown_body(urlencode(fields) if form else json.dumps(fields), FORM if form else JSON)

    for name, value in fields.items():
        assert f"{name}=REDACTED" in shown
        assert value not in shown


@given(st.binary() | st.text(), st.sampled_from([FORM, JSON, {}]))
def test_any_body_can_be_shown(body: object, headers: dict[str, str]) -> None:
    """Nothing is raised."""
    assert isinstance(shown_body(body, headers), str)
