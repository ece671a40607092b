from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_emulator.values import errors
from entra_emulator.values.errors import aadsts, entra_time, explain

ALL = sorted(errors._KINDS)


def fields_of(code: int) -> dict[str, str]:
    return {name: "x" for _, name, _, _ in string.Formatter().parse(errors._KINDS[code].text) if name}


def test_body_has_all_members():
    """An error has the members of Entra's, and its description ends with the ids and the time."""
    body = aadsts(7000215, client_id="app").body(
        now=1_800_000_000, trace_id="trace", correlation_id="correlation", base="https://localhost:1"
    )

    description = body.pop("error_description")
    assert body == {
        "error": "invalid_client",
        "error_codes": [7000215],
        "timestamp": "2027-01-15 08:00:00Z",
        "trace_id": "trace",
        "correlation_id": "correlation",
        "error_uri": "https://localhost:1/error?code=7000215",
    }
    assert isinstance(description, str)
    assert description.startswith("AADSTS7000215: Invalid client secret provided.")
    assert description.endswith(" Trace ID: trace Correlation ID: correlation Timestamp: 2027-01-15 08:00:00Z")


def test_optional_members_appear_when_set():
    """`suberror` and `claims` are there when an error has them."""
    error = errors.EntraError(50076, "interaction_required", 400, "text", suberror="basic_action", claims="{}")
    body = error.body(now=0, trace_id="", correlation_id="", base="")

    assert (body["suberror"], body["claims"]) == ("basic_action", "{}")


@pytest.mark.parametrize("code", ALL)
def test_every_code_is_usable(code: int):
    """Each text can be filled in, and its status fits its error (RFC 6749, section 5.2)."""
    error = aadsts(code, **fields_of(code))

    assert "{" not in error.text
    assert error.status == {"invalid_client": 401, "temporarily_unavailable": 503}.get(error.error, 400)
    assert str(code) in str(explain(code))


def test_unknown_code():
    """A code nobody wrote down is a mistake of ours, not an answer."""
    with pytest.raises(KeyError):
        aadsts(1)
    assert explain(1) is None


@given(st.text(max_size=400))
def test_values_cannot_break_a_message(value: str):
    """Whatever a request holds, a message stays on one line and short."""
    text = aadsts(70003, grant=value).text

    assert re.fullmatch(r".*", text)
    assert text.isprintable()
    assert len(text) < 300


def test_time_format():
    """Times look as in Entra's errors."""
    assert entra_time(0) == "1970-01-01 00:00:00Z"
