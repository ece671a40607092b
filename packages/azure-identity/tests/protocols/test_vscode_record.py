"""The file in which Visual Studio Code's Azure Resources extension keeps who is signed in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity import AuthenticationRecord
from azure.identity._constants import VSCODE_CLIENT_ID
from azure.identity._protocols.vscode import parse_record

RECORD = {
    "tenantId": "e0a5c0de-0000-4000-8000-000000000001",
    "clientId": VSCODE_CLIENT_ID,
    "authority": "login.microsoftonline.com",
    "homeAccountId": "uid.utid",
    "username": "ada@contoso.com",
}


def written(**changed: Any) -> bytes:
    return json.dumps({**RECORD, **changed}).encode()


@pytest.mark.parametrize("content", [written(), written(version="9", more={}), b"\xef\xbb\xbf" + written()])
def test_a_record_is_read(content: bytes) -> None:
    """Whatever else is in it, its version included."""
    assert parse_record(content) == AuthenticationRecord(
        RECORD["tenantId"], VSCODE_CLIENT_ID, RECORD["authority"], RECORD["homeAccountId"], RECORD["username"]
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"5", b"{", b"\xff\xfe"])
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="Authentication record validation failed: the file is not a JSON object"):
        parse_record(content)


@pytest.mark.parametrize("value", [None, "", 5, []])
@pytest.mark.parametrize("name", sorted(RECORD))
def test_every_member_must_be_there(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is missing or not a string"):
        parse_record(written(**{name: value}))


def test_the_record_of_another_application_is_refused() -> None:
    """Its account would have this one's tokens issued to that application."""
    with pytest.raises(ValueError, match=f"'clientId' must be {VSCODE_CLIENT_ID}"):
        parse_record(written(clientId="another"))


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="validation failed: 'username' is missing") as caught:
        parse_record(written(username=None, tenantId="not a tenant", clientId="another"))

    assert str(caught.value).count(";") == 2
    assert "'tenantId' is not a tenant id" in str(caught.value)


@given(
    st.binary()
    | st.dictionaries(st.sampled_from(sorted(RECORD)), st.none() | st.text() | st.integers()).map(
        lambda changed: written(**changed)
    )
)
def test_any_content_is_a_record_or_refused(content: bytes) -> None:
    """By ValueError only."""
    try:
        assert parse_record(content).client_id == VSCODE_CLIENT_ID
    except ValueError:
        pass
