"""What an emulator can be told to do differently. Tests may change the members while it runs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import FrozenSet, Tuple, Union

Lifetime = Union[int, Tuple[int, int]]
"""Seconds, or a range that each token takes a random value from."""


@dataclass
class Settings:
    """The behaviour of one emulator. Times are seconds."""

    strict: bool = True
    """Whether unknown tenants, apps, secrets and resources are refused, as Entra does."""
    token_lifetime: Lifetime = 3600
    """How long an access token lives. Entra takes 60 to 90 minutes: `(3600, 5400)`."""
    cae_token_lifetime: Lifetime = 24 * 3600
    """How long a token lives whose client can handle claims challenges. Entra takes 24 to 28 hours."""
    issuer_v1: str = "https://sts.windows.net"
    """Base of the issuer in v1 access tokens."""
    issuer_v2: str = "https://login.microsoftonline.com"
    """Base of the issuer in v2 tokens and discovery documents."""
    refuse_replays: bool = False
    """Whether an assertion's `jti` is accepted once only. Clients may reuse an assertion during its life."""
    refresh_token_lifetime: int = 90 * 24 * 3600
    """Seconds a refresh token stays good without being used ("Refresh tokens in the Microsoft identity platform")."""
    detect_reuse: bool = False
    """Whether the second use of a refresh token or an authorization code ends the session it came from (RFC 9700,
    sections 2.1.1 and 2.2.2). Entra does not: it accepts refresh tokens again."""
    device_code_lifetime: int = 900
    """Seconds a person has to enter a device code."""
    device_code_interval: int = 5
    """Seconds a client has to wait between polls for the outcome."""
    required_roles: FrozenSet[str] = frozenset()
    """App roles the protected resource asks for; a caller without one of them gets 403."""


def choose(lifetime: Lifetime, dice: random.Random) -> int:
    """A lifetime in seconds. :raises ValueError: it is not positive, or the range is upside down."""
    low, high = (lifetime, lifetime) if isinstance(lifetime, int) else lifetime
    if not 0 < low <= high:
        raise ValueError(f"token_lifetime: expected positive seconds or a range of them, got {lifetime!r}")
    return low if low == high else dice.randint(low, high)
