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
