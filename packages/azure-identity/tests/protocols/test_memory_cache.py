"""The in-memory token cache."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity._cache.memory import Entry, TokenCache, TokenKey
from azure.identity._values.messages import Token

NOW = 1_800_000_000
KEY = TokenKey("login.microsoftonline.com", "t", "c", "", ("s",), False)


def test_a_token_is_found_under_its_key() -> None:
    """With the object callers get made once."""
    cache = TokenCache()

    entry = cache.put(KEY, Token("T", NOW + 3600), NOW)

    assert cache.get(KEY) is entry
    assert (entry.access_token.token, entry.access_token.expires_on) == ("T", NOW + 3600)


@pytest.mark.parametrize(
    "other",
    [
        KEY._replace(cloud="login.microsoftonline.us"),
        KEY._replace(tenant="t2"),
        KEY._replace(client_id="c2"),
        KEY._replace(subject="u"),
        KEY._replace(scopes=("s", "s2")),
        KEY._replace(scopes=("S",)),
        KEY._replace(cae=True),
    ],
    ids=["cloud", "tenant", "client", "subject", "scopes", "case of a scope", "continuous access evaluation"],
)
def test_whatever_changes_the_answer_is_in_the_key(other: TokenKey) -> None:
    """Tokens never meet across it."""
    cache = TokenCache()
    cache.put(KEY, Token("T", NOW + 3600), NOW)

    assert cache.get(other) is None


def test_a_new_token_replaces_the_old_one() -> None:
    """Also when it lives shorter, as after a claims challenge."""
    cache = TokenCache()
    cache.put(KEY, Token("old", NOW + 7200), NOW)

    cache.put(KEY, Token("new", NOW + 60), NOW)

    assert len(cache) == 1
    assert _text(cache, KEY) == "new"


def test_a_look_up_costs_the_same_for_one_entry_as_for_thousands() -> None:
    """It is one dictionary access: the key is hashed once and compared at most once, however many entries there are."""
    comparisons = 0

    class Counting(TokenKey):
        def __eq__(self, other: Any) -> bool:
            nonlocal comparisons
            comparisons += 1
            return tuple(self) == tuple(other)

        __hash__ = TokenKey.__hash__

    cache = TokenCache()
    for i in range(5000):
        cache.put(KEY._replace(tenant=str(i)), Token(str(i), NOW + 3600 + i), NOW)

    assert _text(cache, Counting(*KEY._replace(tenant="4321"))) == "4321"
    assert comparisons <= 1


def test_expired_tokens_go_as_new_ones_come() -> None:
    """Nobody has to look for them."""
    cache = TokenCache()
    for i in range(100):
        cache.put(KEY._replace(tenant=str(i)), Token("T", NOW + i), NOW)

    cache.put(KEY, Token("T", NOW + 3600), NOW + 50)

    assert len(cache) == 50
    assert cache.get(KEY._replace(tenant="50")) is None
    assert cache.get(KEY._replace(tenant="51")) is not None


def test_above_its_limit_the_token_that_expires_soonest_goes() -> None:
    """Growth is bounded."""
    cache = TokenCache(limit=3)
    for tenant, lifetime in (("a", 500), ("b", 100), ("c", 400), ("d", 300), ("e", 200)):
        cache.put(KEY._replace(tenant=tenant), Token("T", NOW + lifetime), NOW)

    assert [t for t in "abcde" if cache.get(KEY._replace(tenant=t)) is not None] == ["a", "c", "d"]


def test_a_token_renewed_for_weeks_does_not_pile_up_expiries() -> None:
    """Beside one that lives for a year, which keeps the heap's head from being swept."""
    cache = TokenCache()
    cache.put(KEY._replace(tenant="year"), Token("T", NOW + 10), NOW)

    for i in range(10_000):
        cache.put(KEY, Token("T", NOW + 10**6 + i), NOW)

    assert len(cache) == 2
    assert len(cache._expiries) <= 2 * 2 + 17


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 60), st.integers(0, 20)),
        max_size=80,
    ),
    st.integers(min_value=1, max_value=5),
)
def test_the_cache_is_a_bounded_map_without_expired_tokens(steps: list[tuple[int, int, int]], limit: int) -> None:
    """Against a plain dictionary that is searched: the same tokens, whatever comes in which order."""
    cache, model, now = TokenCache(limit), {}, NOW
    for i, (tenant, lifetime, pause) in enumerate(steps):
        now += pause
        key = KEY._replace(tenant=str(tenant))
        cache.put(key, Token(str(i), now + lifetime), now)
        model[key] = (str(i), now + lifetime)
        model = {k: v for k, v in model.items() if v[1] > now}

        held = {k: _text(cache, k) for k in model if cache.get(k) is not None}
        assert len(cache) == len(held) == min(len(model), limit) or len(model) > limit
        assert len(cache) <= limit
        assert all(text == model[k][0] for k, text in held.items())
        # Whoever had to go expires no later than whoever stayed.
        if held and len(held) < len(model):
            assert max(v[1] for k, v in model.items() if k not in held) <= min(model[k][1] for k in held)
            model = {k: v for k, v in model.items() if k in held}
        assert len(cache._expiries) <= 2 * len(cache) + 17


def test_one_caller_at_a_time_renews() -> None:
    """Until it says that it has ended."""
    cache = TokenCache()
    entry = cache.put(KEY, Token("T", NOW + 3600), NOW)

    assert cache.claim_renewal(entry, NOW + 1)
    assert not cache.claim_renewal(entry, NOW + 2)
    assert entry.last_attempt == NOW + 1
    cache.end_renewal(entry)
    assert cache.claim_renewal(entry, NOW + 3)


@pytest.mark.parametrize(
    ("lifetime", "refresh_in", "fresh_for"),
    [(3600, None, 3300), (3600, 1800, 1800), (3600, 3500, 3300), (200, None, -100)],
    ids=["until the last minutes", "until it is refreshed", "the last minutes come first", "never"],
)
def test_until_when_a_token_needs_no_thought(lifetime: int, refresh_in: Any, fresh_for: int) -> None:
    """Its face may use it so long without asking the flow."""
    refresh_on = None if refresh_in is None else NOW + refresh_in

    assert Entry(Token("T", NOW + lifetime, refresh_on), NOW).fresh_until == NOW + fresh_for


def test_nothing_is_kept_after_clearing() -> None:
    """Neither tokens nor their expiries."""
    cache = TokenCache()
    cache.put(KEY, Token("T", NOW + 3600), NOW)

    cache.clear()

    assert (len(cache), cache.get(KEY), cache._expiries) == (0, None, [])


def test_an_entry_shows_no_token() -> None:
    """A repr ends up in logs."""
    assert "SECRET" not in repr(Entry(Token("SECRET", NOW), NOW))


def _text(cache: TokenCache, key: TokenKey) -> str:
    entry = cache.get(key)
    assert entry is not None
    return entry.token.token
