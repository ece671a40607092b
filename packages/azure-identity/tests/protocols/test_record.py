"""Who signed in, kept as text without any secret."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity import AuthenticationRecord

RECORD = AuthenticationRecord("t", "c", "a", "h", "u")
TEXT = '{"authority": "a", "clientId": "c", "homeAccountId": "h", "tenantId": "t", "username": "u", "version": "1.0"}'


def test_the_text_of_a_record() -> None:
    """The published package's, so that each reads what the other wrote."""
    assert RECORD.serialize() == TEXT
    assert AuthenticationRecord.deserialize(TEXT) == RECORD


@given(st.lists(st.text(), min_size=5, max_size=5))
def test_every_record_comes_back(values: list[str]) -> None:
    """Whatever is in it."""
    record = AuthenticationRecord(*values)

    assert AuthenticationRecord.deserialize(record.serialize()) == record
    assert pickle.loads(pickle.dumps(record)) == record
    assert hash(record) == hash(AuthenticationRecord(*values))


def test_members_that_are_not_known_are_ignored() -> None:
    """A later version of the library may write more."""
    assert AuthenticationRecord.deserialize(json.dumps({**json.loads(TEXT), "more": 1})) == RECORD


@pytest.mark.parametrize("version", [None, "", "42", 1.0, ["1.0"]])
def test_another_version_is_refused(version: Any) -> None:
    """The message names it, and what is supported."""
    document = {**json.loads(TEXT), "version": version}

    with pytest.raises(ValueError, match=r"Supported versions: 1\.0") as caught:
        AuthenticationRecord.deserialize(json.dumps(document))
    assert repr(version) in str(caught.value)


@pytest.mark.parametrize("name", ["tenantId", "clientId", "authority", "homeAccountId", "username"])
@pytest.mark.parametrize("value", ["absent", None, 5])
def test_a_record_that_lacks_a_member_is_refused(name: str, value: Any) -> None:
    """As a ValueError that is a KeyError too: programs catch the published package's."""
    document = json.loads(TEXT)
    del document[name]
    if value != "absent":
        document[name] = value

    with pytest.raises(KeyError) as caught:
        AuthenticationRecord.deserialize(json.dumps(document))
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == f"The authentication record lacks {name}."
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), KeyError)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"x"'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        AuthenticationRecord.deserialize(text)


def test_a_record_cannot_be_changed_and_shows_no_name() -> None:
    """A repr ends up in logs."""
    with pytest.raises(AttributeError):
        RECORD.username = "x"  # type: ignore[misc]
    record = AuthenticationRecord("t", "c", "a", "home", "ada@contoso.com")
    assert "ada" not in repr(record)
    assert record != "x"
