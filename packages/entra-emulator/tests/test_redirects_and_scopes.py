"""Redirect URIs and scopes, without HTTP."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_emulator.directory.directory import App, Resource
from entra_emulator.sign_in.authorization import (
    ReplyTo,
    form_action_source,
    redirect_location,
    redirect_uri_matches,
)
from entra_emulator.sign_in.codes import canonical_user_code, new_user_code
from entra_emulator.sign_in.grant_core import s256
from entra_emulator.sign_in.permissions import parse_scope
from entra_emulator.values.errors import EntraError

APP = App("11111111-2222-3333-4444-555555555555", "t")


@pytest.mark.parametrize(
    ("registered", "given_", "same"),
    [
        ("http://localhost", "http://localhost", True),
        ("http://localhost", "http://localhost:8400", True),
        ("http://localhost", "http://localhost:8400/", True),
        ("http://localhost:1", "http://localhost:2", True),
        ("http://localhost/a", "http://localhost:8400/a", True),
        ("https://localhost/a", "https://localhost:8400/a", True),
        ("http://127.0.0.1/a", "http://127.0.0.1:5/a", True),
        ("http://localhost/a", "http://localhost:8400/A", False),
        ("http://localhost/a", "http://localhost:8400/a/", False),
        ("http://localhost", "http://localhost:8400/?x=1", False),
        ("http://localhost", "https://localhost:8400", False),
        ("http://localhost", "http://127.0.0.1:8400", False),
        ("http://localhost", "http://localhost:0", False),
        ("http://localhost", "http://user@localhost:8400", False),
        ("http://localhost", "http://localhost.evil.example", False),
        ("http://localhost", "http://localhost\\@evil.example", False),
        ("http://localhost", " http://localhost", False),
        ("http://localhost", "http://loc\talhost", False),
        ("http://localhost", "http://localhost:8400#f", False),
        ("http://localhost", "", False),
        ("https://app.example/back", "https://app.example/back", True),
        ("https://app.example/back", "https://app.example:444/back", False),
        ("https://app.example/back", "https://app.example/back?x=1", False),
        ("https://app.example/back", "https://APP.example/back", False),
        ("myapp://auth", "myapp://auth", True),
        ("javascript:alert(1)", "javascript:alert(1)", False),
        ("data:text/html,x", "data:text/html,x", False),
        ("http://[::1", "http://[::1", False),
    ],
)
def test_redirect_uris(registered: str, given_: str, same: bool):
    """Redirect URIs are compared exactly, but for the port on this machine's names."""
    assert redirect_uri_matches(registered, given_) is same


@given(st.text())
def test_no_text_leads_elsewhere(text: str):
    """Whatever matches `http://localhost` leads to this machine, by a browser's reading as well."""
    for uri in (text, f"http://localhost{text}", f"http://localhost:{text}"):
        if redirect_uri_matches("http://localhost", uri):
            parts = urlsplit(uri)
            assert (parts.scheme, parts.hostname, parts.path in ("", "/")) == ("http", "localhost", True)
            assert uri.isascii() and uri.isprintable()


@given(st.dictionaries(st.sampled_from(["code", "state", "error"]), st.text(), min_size=1))
def test_locations(fields: dict[str, str]):
    """Fields come back from the URL as they were, beside a query that was there already."""
    queried = redirect_location(ReplyTo(APP, "https://a.example/?x=1", "query", ""), fields)
    fragment = redirect_location(ReplyTo(APP, "https://a.example/", "fragment", ""), fields)

    assert dict(parse_qsl(urlsplit(queried).query, keep_blank_values=True)) == {"x": "1", **fields}
    assert dict(parse_qsl(fragment.partition("#")[2], keep_blank_values=True)) == fields


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("http://localhost:8400/a?b", "http://localhost:8400"),
        ("https://app.example/back", "https://app.example"),
        ("myapp://auth", "myapp:"),
    ],
)
def test_form_action(uri: str, source: str):
    """A policy names the place, not the page."""
    assert form_action_source(uri) == source


@given(st.lists(st.text(), max_size=4).map(" ".join))
def test_any_scope(text: str):
    """Any scope parameter is understood or refused; every part names its API as the client did."""
    try:
        wanted = parse_scope(text, lambda name: Resource("app", (name,)), "client", strict=False)
    except EntraError as error:
        assert error.code in (900144, 70011)
        return
    assert wanted.parts
    for part in wanted.parts:
        for name in part.names:
            assert name in text.split() or f"{part.audience}/{name}" in text.split()


def test_challenge():
    """The example of RFC 7636, appendix B."""
    assert s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_user_codes():
    """User codes have no vowels, and may be typed in groups."""
    code = new_user_code()

    assert not set(code) & set("AEIOU0123456789")
    assert canonical_user_code(f"{code[:3]}-{code[3:6]} {code[6:].lower()}\n") == code
