"""What the Azure CLI prints."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity._protocols.tool_output import UnexpectedOutput, json_objects, parse_azure_cli
from azure.identity._values.messages import Token

SetZone = Callable[[str], None]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
OFFSETS = st.integers(min_value=-14 * 60, max_value=14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
TOKENS = st.fixed_dictionaries({}, optional={"accessToken": JSON, "expires_on": JSON, "expiresOn": JSON})


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


def printed(**members: Any) -> str:
    return json.dumps({"accessToken": "T", **members})


# The POSIX spelling of America/New_York needs no time zone database.
NEW_YORK, UTC = "EST5EDT,M3.2.0,M11.1.0", "UTC0"


@pytest.mark.parametrize("zone", [NEW_YORK, UTC, "XXX-14"])
def test_seconds_since_the_epoch_mean_the_same_in_every_time_zone(time_zone: SetZone, zone: str) -> None:
    """`expires_on` (Azure CLI 2.54 and later) wins over the local time beside it, in the hour that happens twice."""
    time_zone(zone)

    found = parse_azure_cli(printed(expires_on=1730615400, expiresOn="2024-11-03 01:30:00.000000"))

    assert found == Token("T", 1730615400)


@pytest.mark.parametrize(
    ("zone", "written", "expected"),
    [
        pytest.param(NEW_YORK, "2024-06-03 01:30:00.123456", 1717392600, id="summer in New York"),
        pytest.param(NEW_YORK, "2024-12-03 01:30:00.123456", 1733207400, id="winter in New York"),
        pytest.param(UTC, "2024-06-03 01:30:00.123456", 1717378200, id="UTC"),
        pytest.param(UTC, "2024-06-03 01:30:00", 1717378200, id="no fraction"),
        pytest.param(UTC, "2024-06-03 01:30:00.12", 1717378200, id="a short fraction"),
        pytest.param(UTC, "2024-06-03 01:30:00.1234567", 1717378200, id="a long fraction"),
        pytest.param(NEW_YORK, "2024-06-03T01:30:00Z", 1717378200, id="a zone is obeyed"),
        pytest.param(NEW_YORK, "2024-06-03T01:30:00.5Z", 1717378200, id="a zone after a fraction"),
        pytest.param(NEW_YORK, "2024-06-03T01:30:00+02:00", 1717371000, id="an offset is obeyed"),
        pytest.param(NEW_YORK, "2024-06-03T01:30:00.123-05:00", 1717396200, id="an offset after a fraction"),
    ],
)
def test_a_time_without_a_zone_is_this_machines(time_zone: SetZone, zone: str, written: str, expected: int) -> None:
    """Before 2.54 there was only `expiresOn`, local time; some builds print it with a zone."""
    time_zone(zone)

    assert parse_azure_cli(printed(expiresOn=written)).expires_on == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [("1602015811", 1602015811), (1730615400.5, 1730615400), (1730615400, 1730615400)],
    ids=["in quotes", "a fraction", "a number"],
)
def test_seconds_are_read_however_they_are_spelt(written: Any, expected: int) -> None:
    """Whole seconds come out."""
    assert parse_azure_cli(printed(expires_on=written)).expires_on == expected


@pytest.mark.parametrize("useless", [None, "soon", {}, True, float("nan")], ids=str)
def test_an_unreadable_epoch_falls_back_to_the_local_time(time_zone: SetZone, useless: Any) -> None:
    """One of the two fields is enough."""
    time_zone(UTC)

    assert parse_azure_cli(printed(expires_on=useless, expiresOn="2024-06-03 01:30:00.000000")).expires_on == 1717378200


@pytest.mark.parametrize(
    "stdout",
    [
        "WARNING: This command group is in preview {and under development}.\n" + printed(expires_on=1),
        printed(expires_on=1) + "\nA new version {2.99.0} is available.",
        "\ufeff" + printed(expires_on=1),
        json.dumps({"notice": "x"}) + printed(expires_on=1),
        json.dumps({"accessToken": "T", "expires_on": 1, "tenant": "t", "tokenType": "Bearer"}, indent=2),
    ],
    ids=["a warning before", "a notice after", "byte order mark", "another object before", "pretty-printed"],
)
def test_what_is_printed_around_the_token_is_passed_over(stdout: str) -> None:
    """Tools print notices; the token is the object that has one."""
    assert parse_azure_cli(stdout) == Token("T", 1)


@pytest.mark.parametrize(
    ("stdout", "reason"),
    [
        pytest.param("", "no 'accessToken'", id="nothing"),
        pytest.param("[]", "no 'accessToken'", id="a list"),
        pytest.param("null", "no 'accessToken'", id="null"),
        pytest.param("5", "no 'accessToken'", id="a number"),
        pytest.param('{"accessToken": "SECRET", some invalid json', "no 'accessToken'", id="half an object"),
        pytest.param('{"accessToken": null, "expires_on": 1}', "no 'accessToken'", id="null for a token"),
        pytest.param('{"accessToken": "SECRET", "expires": 1}', "no time of expiry", id="no expiry"),
        pytest.param('{"accessToken": "SECRET", "expiresOn": null}', "no time of expiry", id="null for an expiry"),
        pytest.param('{"accessToken": "SECRET", "expiresOn": "soon"}', "no time of expiry", id="a word for an expiry"),
        pytest.param('{"accessToken": "SECRET", "expiresOn": "9999-99-99"}', "no time of expiry", id="no such day"),
    ],
)
def test_what_is_no_token_is_unexpected_output(stdout: str, reason: str) -> None:
    """The reason is said without the token."""
    with pytest.raises(UnexpectedOutput, match=reason) as caught:
        parse_azure_cli(stdout)

    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(TOKENS.map(json.dumps) | st.text() | st.text().map(lambda text: printed(expiresOn=text)))
def test_any_output_is_a_token_or_unexpected(stdout: str) -> None:
    """Nothing else is raised."""
    try:
        found = parse_azure_cli(stdout)
    except UnexpectedOutput:
        return

    assert found.token
    assert isinstance(found.expires_on, int)


@given(st.text(min_size=1), st.integers(min_value=0, max_value=10**11), st.text(alphabet=' \n}[]:abc"\\'))
def test_a_token_is_found_after_any_notice(text: str, expires_on: int, notice: str) -> None:
    """Quotes and brackets in a notice do not hide the token."""
    assert parse_azure_cli(notice + json.dumps({"accessToken": text, "expires_on": expires_on})) == Token(
        text, expires_on
    )


@given(st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(timezone.utc) | OFFSETS))
def test_a_time_with_a_zone_is_read_back(moment: datetime) -> None:
    """Whatever its offset and fraction."""
    assert parse_azure_cli(printed(expiresOn=moment.isoformat(" "))).expires_on == int(moment.timestamp())


@given(st.lists(st.dictionaries(st.text(), JSON.filter(lambda value: value == value), max_size=3), max_size=4))
def test_every_object_in_a_text_is_found_in_order(documents: list[dict[str, Any]]) -> None:
    """Outermost objects only."""
    text = "\nnotice\n".join(json.dumps(document) for document in documents)

    assert [json.dumps(document) for document in documents] == [json.dumps(found) for found in json_objects(text)]


@pytest.mark.parametrize("text", ["{" * 200_000, '{"a":' * 100_000, '{"' * 100_000], ids=["braces", "depth", "strings"])
def test_a_text_of_braces_is_given_up_on(text: str) -> None:
    """It takes neither quadratic time nor the stack."""
    assert json_objects(text) == []
