"""What is logged about a token: whom it names, read without verifying it."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from azure.identity._errors.logging import describe_token, unverified_claims


def jwt(payload: bytes) -> str:
    return f"h.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.s"


def test_a_token_is_described_by_whom_it_names() -> None:
    """Application, tenant and account; nothing else of it."""
    claims = {"appid": "a", "tid": "t", "upn": "u", "oid": "o", "secret": "SECRET"}

    assert describe_token(jwt(json.dumps(claims).encode())) == (
        "Client ID: a. Tenant ID: t. User Principal Name: u. Object ID (user): o"
    )


def test_an_opaque_token_is_described_too() -> None:
    """As far as that goes."""
    assert describe_token("opaque-SECRET") == (
        "Client ID: unknown. Tenant ID: unknown. User Principal Name: none. Object ID (user): unknown"
    )


def test_a_payload_too_deep_to_read_has_no_claims() -> None:
    """It is a log only. (The parser's RecursionError escaped at first.)"""
    assert unverified_claims(jwt(b"[" * 100_000)) == {}


@given(st.text() | st.binary().map(jwt) | st.lists(st.text(), min_size=3, max_size=3).map(".".join))
def test_any_text_has_claims_or_none(token: str) -> None:
    """Nothing is raised."""
    assert isinstance(unverified_claims(token), dict)


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_claims_are_read_back(claims: dict[str, object]) -> None:
    """Whatever their length, which decides the padding."""
    assert unverified_claims(jwt(json.dumps(claims).encode())) == claims
