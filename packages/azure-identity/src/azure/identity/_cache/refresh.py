"""When a cached token is used, renewed early, or waited for. A pure function of times (seconds since the epoch)."""

from __future__ import annotations

from typing import Optional

USE = "use"
"""Use the token; nothing else to do."""
RENEW_EARLY = "renew early"
"""One caller renews; everyone else keeps using the token meanwhile."""
WAIT = "wait"
"""All callers wait for one acquisition. A token that has not expired is still the answer if that fails."""

LAST_MINUTES = 300
"""Seconds before expiry in which no caller starts with the old token any more: service clients, which get it, also
treat this window as expired (azure-core, BearerTokenCredentialPolicy)."""
RETRY_DELAY = 30
"""Seconds between attempts to renew a token that is still valid."""
LONG_LIFE = 7200
"""Tokens that live at least this many seconds are renewed at half their life when the issuer names no time."""


def refresh_need(now: int, expires_on: int, refresh_on: Optional[int], last_attempt: int) -> str:
    """Decide what a cached token needs at `now`. `last_attempt` is when an acquisition for it last began."""
    if now >= expires_on:
        return WAIT
    if now - last_attempt < RETRY_DELAY:
        return USE
    if expires_on - now <= LAST_MINUTES:
        return WAIT
    if refresh_on is not None and now >= refresh_on:
        return RENEW_EARLY
    return USE


def default_refresh_on(now: int, expires_on: int, refresh_in: Optional[int]) -> Optional[int]:
    """When to renew a token acquired at `now`, given the issuer's `refresh_in` (seconds), if it sent one."""
    if refresh_in is not None:
        return now + refresh_in
    if expires_on - now >= LONG_LIFE:
        return now + (expires_on - now) // 2
    return None
