"""Scopes, the resources they stand for, and claims."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity._protocols.scopes import (
    canonical_scopes,
    merged_claims,
    parse_claims,
    resource_of,
    validate_scopes,
)

JSON_OBJECTS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=5,
    ),
    max_size=3,
)


@pytest.mark.parametrize(
    ("scopes", "error", "text"),
    [
        pytest.param((), ValueError, '"get_token" requires at least one scope', id="none"),
        pytest.param(("",), ValueError, "blank scope", id="empty"),
        pytest.param(("a", " "), ValueError, "blank scope", id="blank"),
        pytest.param((["a", "b"],), TypeError, r'Pass several as get_token\("a", "b"\)', id="a list"),
        pytest.param((None,), TypeError, "NoneType", id="nothing"),
    ],
)
def test_scopes_are_strings_and_at_least_one(scopes: Any, error: type[Exception], text: str) -> None:
    """The message names the method that was called."""
    with pytest.raises(error, match=text):
        validate_scopes(scopes, "get_token")


def test_scopes_in_any_order_ask_for_the_same() -> None:
    """Order and repetition do not matter; case does."""
    assert canonical_scopes(["b", "a", "b"]) == canonical_scopes(["a", "b"])
    assert canonical_scopes(["A"]) != canonical_scopes(["a"])


@pytest.mark.parametrize(
    ("scope", "resource"),
    [
        ("https://vault.azure.net/.default", "https://vault.azure.net"),
        ("https://management.core.windows.net//.default", "https://management.core.windows.net/"),
        ("api://guid/.default", "api://guid"),
        ("https://vault.azure.net", "https://vault.azure.net"),
        ("x/.default/.default", "x/.default"),
        ("User.Read", "User.Read"),
    ],
    ids=["default", "the resource ends in a slash", "application id", "no suffix", "cut once", "a permission"],
)
def test_a_scope_stands_for_a_resource(scope: str, resource: str) -> None:
    """One `/.default` is cut off; everything else stays."""
    assert resource == resource_of([scope])


@pytest.mark.parametrize("scopes", [(), ("a", "b")], ids=["none", "two"])
def test_a_resource_needs_exactly_one_scope(scopes: tuple[str, ...]) -> None:
    """Tools and hosts that know resources only can be asked for one at a time."""
    with pytest.raises(ValueError, match="exactly one scope"):
        resource_of(scopes)


@given(st.text(min_size=1))
def test_the_default_scope_of_a_resource_stands_for_it(resource: str) -> None:
    """Adding the suffix and cutting it leads back."""
    assert resource == resource_of([resource + "/.default"])


CAPABILITY = {"xms_cc": {"values": ["CP1"]}}


@pytest.mark.parametrize(
    ("claims", "cae", "expected"),
    [
        pytest.param(None, False, None, id="nothing to say"),
        pytest.param("", False, None, id="an empty challenge is none"),
        pytest.param('{"a":1}', False, {"a": 1}, id="a challenge alone"),
        pytest.param(None, True, {"access_token": CAPABILITY}, id="the capability alone"),
        pytest.param(
            '{"access_token": {"essential": "true"}}',
            True,
            {"access_token": {"essential": "true", **CAPABILITY}},
            id="both",
        ),
        pytest.param(
            '{"access_token":{"xms_cc":{"values":["x"]}}}',
            True,
            {"access_token": CAPABILITY},
            id="ours replaces theirs",
        ),
        pytest.param('{"access_token": null}', True, {"access_token": CAPABILITY}, id="null where an object belongs"),
        pytest.param(
            '{"id_token": {"a": 1}}', True, {"id_token": {"a": 1}, "access_token": CAPABILITY}, id="others stay"
        ),
    ],
)
def test_the_capability_joins_the_challenge(claims: Optional[str], cae: bool, expected: Any) -> None:
    """`CP1` tells the authority that claims challenges can be handled."""
    merged = merged_claims(claims, cae)

    assert expected == (None if merged is None else json.loads(merged))


def test_a_challenge_without_capability_is_passed_on_unchanged() -> None:
    """Not a character differs: the authority reads what the resource wrote."""
    assert merged_claims('{ "a":1 }', False) == '{ "a":1 }'


@pytest.mark.parametrize(
    "claims", ["[]", "null", "5", "{", "eyJ4IjoxfQ==", "[" * 100_000, {"a": 1}, 5], ids=lambda value: str(value)[:12]
)
def test_claims_that_are_no_json_object_are_refused(claims: Any) -> None:
    """A challenge that was not decoded, say, is the caller's mistake, and the message names the parameter."""
    with pytest.raises(ValueError, match="claims must be a JSON object"):
        parse_claims(claims)


@given(st.text())
def test_any_text_is_a_challenge_or_a_value_error(text: str) -> None:
    """Nothing else is raised."""
    try:
        assert isinstance(parse_claims(text), dict)
    except ValueError as error:
        assert "claims must be" in str(error)


@given(JSON_OBJECTS)
def test_merging_keeps_what_it_does_not_add(document: dict[str, Any]) -> None:
    """Every member but `access_token` survives, and merging twice is merging once."""
    merged = merged_claims(json.dumps(document), True)
    assert merged is not None

    result = json.loads(merged)
    assert CAPABILITY["xms_cc"] == result["access_token"]["xms_cc"]
    assert {k: v for k, v in document.items() if k != "access_token"} == {
        k: v for k, v in result.items() if k != "access_token"
    }
    assert merged == merged_claims(merged, True)
