"""How long a host is asked again."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from azure.core.pipeline.policies import RetryMode

from azure.identity._protocols.retries import CONNECT, READ, STATUS, Retries, configured


@pytest.mark.parametrize(
    ("options", "pauses"),
    [
        ({}, [0, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]),
        ({"retry_backoff_factor": 0.1}, [0, 0.2, 0.4, 0.8]),
        ({"retry_backoff_max": 2}, [0, 1.6, 2, 2]),
        ({"retry_mode": "fixed"}, [0, 0.8, 0.8, 0.8]),
        ({"retry_mode": RetryMode.Fixed, "retry_backoff_factor": 3}, [0, 3, 3]),
        ({"retry_mode": RetryMode.Exponential}, [0, 1.6, 3.2]),
    ],
)
def test_pauses_are_those_of_azure_core(options: dict[str, Any], pauses: list[float]) -> None:
    """The first repetition is immediate; then the pauses double up to the longest."""
    retries = configured(options)

    assert pauses == pytest.approx([retries.pause(n) for n in range(1, len(pauses) + 1)])


def test_a_hosts_own_factor_gives_way_to_the_users() -> None:
    """IMDS has a longer one while it is updated."""
    assert configured({}).pause(3, 2.5) == 10
    assert configured({"retry_backoff_factor": 0.1}).pause(3, 2.5) == pytest.approx(0.4)


def test_pauses_stay_finite() -> None:
    """However many attempts a user asks for."""
    assert configured({"retry_backoff_max": 60}).pause(100_000) == 60


def count(retries: Optional[Retries], *troubles: str) -> int:
    done = 0
    for trouble in troubles:
        retries = retries.after(trouble) if retries is not None else None
        if retries is None:
            break
        done += 1
    return done


@pytest.mark.parametrize(
    ("options", "troubles", "repetitions"),
    [
        ({}, [STATUS] * 9, 3),
        ({}, [CONNECT] * 9, 3),
        ({}, [READ] * 9, 3),
        ({}, [STATUS, CONNECT, READ] * 4, 9),
        ({"retry_total": 0}, [STATUS], 0),
        ({"retry_total": 2}, [STATUS] * 9, 2),
        ({"retry_total": 4}, [STATUS, CONNECT, READ] * 4, 4),
        ({"retry_status": 1}, [STATUS] * 9, 1),
        ({"retry_connect": 0}, [CONNECT], 0),
        ({"retry_read": 5}, [READ] * 9, 5),
    ],
)
def test_what_is_counted(options: dict[str, Any], troubles: list[str], repetitions: int) -> None:
    """All together, and each kind of trouble by itself; the first that is used up ends it."""
    assert repetitions == count(configured(options), *troubles)


def test_who_has_a_token_hardly_waits() -> None:
    """One repetition, which comes at once."""
    hurried = configured({}, total=5, status=5).hurried()

    assert count(hurried, STATUS, STATUS) == 1 and hurried.pause(1) == 0
    assert count(configured({"retry_total": 0}).hurried(), STATUS) == 0


def test_which_statuses_are_repeated() -> None:
    """azure-core's, and those a user adds."""
    retries = configured({"retry_on_status_codes": [418]})

    assert all(retries.repeats(status) for status in (408, 418, 429, 500, 502, 503, 504, 506, 599))
    assert not any(retries.repeats(status) for status in (200, 302, 400, 401, 403, 404, 410, 501, 505, 600))


def test_none_means_the_usual() -> None:
    """A keyword that is None was not given."""
    assert configured({"retry_total": None, "retry_status": None, "timeout": None}) == Retries()
