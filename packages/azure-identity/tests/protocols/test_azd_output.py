"""What the Azure Developer CLI prints: tokens, and errors in the formats of its versions."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Iterator, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity._protocols.tool_output import UnexpectedOutput, parse_azd, parse_azd_error
from azure.identity._values.messages import Token

SetZone = Callable[[str], None]
NEW_YORK, UTC = "EST5EDT,M3.2.0,M11.1.0", "UTC0"
OFFSETS = st.integers(min_value=-14 * 60, max_value=14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetZone]:
    """Set this machine's time zone."""
    if not hasattr(time, "tzset"):
        pytest.skip("this platform cannot change the time zone of a running program")

    def change(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


def printed(expires_on: Any = "2024-06-03T01:30:00Z", **members: Any) -> str:
    return json.dumps({"token": "T", "expiresOn": expires_on, **members})


def console(message: str) -> str:
    return json.dumps(
        {"type": "consoleMessage", "timestamp": "2024-06-03T01:30:00.1234567Z", "data": {"message": message}}
    )


# --- tokens


@pytest.mark.parametrize("zone", [NEW_YORK, UTC, "XXX-14"])
@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("2024-06-03T01:30:00Z", 1717378200, id="UTC"),
        pytest.param("2024-06-03T01:30:00.123Z", 1717378200, id="a fraction"),
        pytest.param("2024-06-03T01:30:00.123456789Z", 1717378200, id="nanoseconds"),
        pytest.param("2024-06-03T01:30:00+00:00", 1717378200, id="a zero offset"),
        pytest.param("2024-06-03T01:30:00-04:00", 1717392600, id="an offset"),
        pytest.param("2024-06-03T01:30:00", 1717378200, id="no zone"),
    ],
)
def test_an_expiry_is_utc_in_every_time_zone(time_zone: SetZone, zone: str, written: str, expected: int) -> None:
    """The tool writes RFC 3339 in UTC. (The published package reads it as local time.)"""
    time_zone(zone)

    assert parse_azd(printed(written)) == Token("T", expected)


@pytest.mark.parametrize(
    "stdout",
    [
        "A new version of azd is available {1.99.0}.\n" + printed(),
        console("Warning: something") + "\n" + printed(),
        "\ufeff" + printed(),
        json.dumps(json.loads(printed()), indent=2),
        printed() + "\n",
    ],
    ids=["a notice", "a console message", "byte order mark", "pretty-printed", "a newline"],
)
def test_what_is_printed_around_the_token_is_passed_over(stdout: str) -> None:
    """Notices come before it."""
    assert parse_azd(stdout) == Token("T", 1717378200)


@pytest.mark.parametrize(
    ("stdout", "reason"),
    [
        ("", "no 'token'"),
        ("[]", "no 'token'"),
        ('{"token": null}', "no 'token'"),
        ('{"accessToken": "SECRET"}', "no 'token'"),
        ('{"token": "SECRET"}', "no time of expiry"),
        ('{"token": "SECRET", "expiresOn": 5}', "no time of expiry"),
        ('{"token": "SECRET", "expiresOn": "soon"}', "no time of expiry"),
    ],
)
def test_what_is_no_token_is_unexpected_output(stdout: str, reason: str) -> None:
    """The reason is said without the token."""
    with pytest.raises(UnexpectedOutput, match=reason) as caught:
        parse_azd(stdout)

    assert "SECRET" not in str(caught.value)


@given(
    st.fixed_dictionaries({}, optional={"token": JSON, "expiresOn": JSON}).map(json.dumps)
    | st.text()
    | st.text().map(printed)
)
def test_any_output_is_a_token_or_unexpected(stdout: str) -> None:
    """Nothing else is raised."""
    try:
        found = parse_azd(stdout)
    except UnexpectedOutput:
        return

    assert found.token
    assert isinstance(found.expires_on, int)


@given(st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(timezone.utc) | OFFSETS))
def test_a_time_with_a_zone_is_read_back(moment: datetime) -> None:
    """Whatever its offset and fraction."""
    assert parse_azd(printed(moment.isoformat())).expires_on == int(moment.timestamp())


# --- errors


STRUCTURED = json.dumps({"error": "AADSTS50076: mfa", "links": [], "message": "m", "suggestion": "s"})


@pytest.mark.parametrize(
    ("stdout", "stderr", "said"),
    [
        pytest.param("", STRUCTURED, "AADSTS50076: mfa", id="1.24 and later"),
        pytest.param("", console("\nERROR: fetching token: x\n"), "ERROR: fetching token: x", id="before 1.23.7"),
        pytest.param("", console("\n") + "\n" + STRUCTURED, "AADSTS50076: mfa", id="between them"),
        pytest.param("", json.dumps(json.loads(STRUCTURED), indent=2), "AADSTS50076: mfa", id="pretty-printed"),
        pytest.param("", console("first ") + "\n" + console("second"), "first", id="two console messages"),
        pytest.param("", '{"error":""}\n' + console("ERROR: real"), "ERROR: real", id="an empty error"),
        pytest.param(STRUCTURED, console("on stderr"), "AADSTS50076: mfa", id="on standard output"),
        pytest.param("", "ERROR: plain text", None, id="plain text"),
        pytest.param("", '{"message": "m", "suggestion": "s"}', None, id="neither error nor data"),
        pytest.param("", '{"error": {"code": 1}, "data": "x"}', None, id="other kinds of values"),
        pytest.param("", "[1]\nnull", None, id="no objects"),
        pytest.param("", "", None, id="nothing"),
    ],
)
def test_the_words_of_an_error(stdout: str, stderr: str, said: Optional[str]) -> None:
    """An `error` comes before a console message, wherever each is."""
    assert parse_azd_error(stdout, stderr) == said


@given(st.text() | JSON.map(json.dumps), st.text() | JSON.map(json.dumps))
def test_any_error_output_has_words_or_none(stdout: str, stderr: str) -> None:
    """Nothing is raised, and blank words are none."""
    said = parse_azd_error(stdout, stderr)

    assert said is None or said.strip()
