"""The federated token of a workload: how the file that holds it reads, and what it says about itself.

Sources: Azure AD Workload Identity, "Service account token volume projection"; RFC 7519 (JWT).
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .entra import whole
from .users import jwt_claims

BINDING_AUDIENCE = "api://AKSIdentityBinding"
"""Audience of tokens that only the token proxy of an AKS identity binding accepts."""


class NotAToken(Exception):
    """The content of the file is no token. The text says what it is instead, and follows the file's name."""


class FederatedToken(NamedTuple):
    """A token of the workload's identity provider, and what it claims. Nothing is verified here: Entra ID does that."""

    text: str
    issuer: str = ""
    subject: str = ""
    audience: str = ""
    expires_on: Optional[int] = None
    """Seconds since the epoch."""

    def __repr__(self) -> str:
        return f"FederatedToken({self.described()}, expires_on={self.expires_on})"

    def expired(self, now: int) -> bool:
        """Whether it says of itself that it is no longer valid."""
        return self.expires_on is not None and self.expires_on <= now

    def described(self) -> str:
        """What a federated credential is compared with."""
        return f"issuer {self.issuer!r}, subject {self.subject!r}, audience {self.audience!r}"

    def described_lifetime(self, now: int) -> str:
        """How its lifetime relates to this machine's clock."""
        if self.expires_on is None:
            return "does not say when it expires"
        try:
            when = datetime.fromtimestamp(self.expires_on, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
        except (ValueError, OverflowError, OSError):
            return "names an impossible time of expiry"
        seconds = now - self.expires_on
        return f"expired at {when}, {seconds} seconds ago" if seconds >= 0 else f"is valid until {when}"


def parse_federated_token(content: bytes) -> FederatedToken:
    """The token in a file. Blanks around it are none of it: many tools end a file with a newline.

    :raises NotAToken: the file is blank, or holds something else.
    """
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise NotAToken("is not text") from None
    if not text:
        raise NotAToken("is empty")
    token = read_assertion(text)
    if token is None:
        raise NotAToken("does not hold a token (a JWT)")
    return token


def read_assertion(text: str) -> Optional[FederatedToken]:
    """What an assertion says about itself; None if it is no JWT."""
    claims = jwt_claims(text)
    if not claims or not text.isascii() or any(character.isspace() for character in text):
        return None
    return FederatedToken(
        text, _text(claims.get("iss")), _text(claims.get("sub")), _text(claims.get("aud")), whole(claims.get("exp"))
    )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return value if isinstance(value, str) else ""
