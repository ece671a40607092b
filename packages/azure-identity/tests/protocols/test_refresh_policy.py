"""When a cached token is used, renewed early, or waited for."""

from __future__ import annotations

from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity._cache.refresh import RENEW_EARLY, USE, WAIT, refresh_need
from azure.identity._protocols.lifetimes import default_refresh_on

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("expires_in", "refresh_in", "last_ago", "need"),
    [
        pytest.param(0, None, 0, WAIT, id="expired this second"),
        pytest.param(-1, None, 0, WAIT, id="expired"),
        pytest.param(1, None, 29, USE, id="one second left, just tried"),
        pytest.param(299, None, 29, USE, id="last minutes, tried 29 s ago"),
        pytest.param(300, None, 30, WAIT, id="last minutes, tried 30 s ago"),
        pytest.param(301, None, 9999, USE, id="before the last minutes, no refresh time"),
        pytest.param(3600, 0, NOW, RENEW_EARLY, id="refresh time reached, never tried"),
        pytest.param(3600, 0, 29, USE, id="refresh time reached, tried 29 s ago"),
        pytest.param(3600, 0, 30, RENEW_EARLY, id="refresh time reached, tried 30 s ago"),
        pytest.param(3600, 1, NOW, USE, id="refresh time in a second"),
        pytest.param(200, 1, NOW, WAIT, id="last minutes come before the refresh time"),
        pytest.param(3600, None, -5, USE, id="the clock was set back since"),
    ],
)
def test_what_a_token_needs(expires_in: int, refresh_in: Optional[int], last_ago: int, need: str) -> None:
    """Fresh: use. Past its refresh time: one renews. Last five minutes or expired: all wait."""
    refresh_on = None if refresh_in is None else NOW + refresh_in

    assert need == refresh_need(NOW, NOW + expires_in, refresh_on, NOW - last_ago)


@pytest.mark.parametrize(
    ("lifetime", "refresh_in", "expected"),
    [
        pytest.param(7200, None, 3600, id="long-lived: at half its life"),
        pytest.param(7199, None, None, id="short-lived: when it nears its end"),
        pytest.param(86400, 43200, 43200, id="the issuer says when"),
        pytest.param(3600, 1800, 1800, id="the issuer says when, short-lived"),
        pytest.param(86401, None, 43200, id="half of an odd life is whole"),
    ],
)
def test_when_a_token_is_renewed_early(lifetime: int, refresh_in: Optional[int], expected: Optional[int]) -> None:
    """The issuer's `refresh_in`, else half the life of tokens that live two hours or more."""
    assert (None if expected is None else NOW + expected) == default_refresh_on(NOW, NOW + lifetime, refresh_in)


TIMES = st.integers(min_value=0, max_value=10_000)


@given(TIMES, TIMES, st.none() | TIMES, TIMES)
def test_an_expired_token_is_never_used_and_a_valid_one_is_not_renewed_twice_in_30_seconds(
    now: int, expires_on: int, refresh_on: Optional[int], last_attempt: int
) -> None:
    """The two promises of the policy, whatever the times."""
    need = refresh_need(now, expires_on, refresh_on, last_attempt)

    if now >= expires_on:
        assert need == WAIT
    elif now - last_attempt < 30:
        assert need == USE
