"""How long an answer's token serves, in seconds since the epoch."""

from __future__ import annotations

from typing import Optional

LONG_LIFE = 7200
"""Tokens that live at least this many seconds are renewed at half their life when the issuer names no time."""


def default_refresh_on(now: int, expires_on: int, refresh_in: Optional[int]) -> Optional[int]:
    """When to renew a token acquired at `now`, given the issuer's `refresh_in` (seconds), if it sent one."""
    if refresh_in is not None:
        return now + refresh_in
    if expires_on - now >= LONG_LIFE:
        return now + (expires_on - now) // 2
    return None
