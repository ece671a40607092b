"""Authorization codes, device codes and refresh tokens: who holds which, and whether it still counts.

None of them means anything to its holder; what it stands for is kept here, by its text.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Dict, Generic, Mapping, Optional, Set, TypeVar

from ..directory.users import SignedIn
from .permissions import Wanted

CODE_LIFETIME = 600
"""Seconds ("Microsoft identity platform and OAuth 2.0 authorization code flow": about 10 minutes)."""

_MOST_KEPT = 20_000
# RFC 8628, section 6.1: no vowels, so that no words appear.
_USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_USER_CODE_LENGTH = 9

_Held = TypeVar("_Held")


@dataclass(frozen=True)
class AuthorizationCode:
    """What a person has allowed a client, until it redeems the code."""

    client_id: str
    tenant_name: str
    """The tenant segment of the authorization request."""
    redirect_uri: str
    wanted: Wanted
    signed_in: SignedIn
    session: str
    expires_on: int
    nonce: str = ""
    challenge: str = ""
    """The PKCE challenge (RFC 7636), S256."""
    requested_claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RefreshToken:
    """A person's consent that a client may come again."""

    client_id: str
    family: str
    wanted: Wanted
    signed_in: SignedIn
    session: str
    """What a sign-in began and every renewal continues."""
    issued_at: int
    expires_on: int


@dataclass
class DeviceCode:
    """A sign-in on another device, from the request for a code to its redemption."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    client_id: str
    tenant_name: str
    wanted: Wanted
    expires_on: int
    interval: int
    """Seconds; grows by 5 with every `slow_down` (RFC 8628, section 3.5)."""
    requested_claims: Mapping[str, Any] = field(default_factory=dict)
    polled_at: Optional[float] = None
    declined: bool = False
    redeemed: bool = False
    signed_in: Optional[SignedIn] = None


class Held(Generic[_Held]):
    """Values by secret texts. The oldest are dropped when there are too many. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def put(self, text: str, value: _Held) -> str:
        """Keep `value`. Returns the text."""
        with self._lock:
            self._held[text] = value
            if len(self._held) > _MOST_KEPT:
                self._held.popitem(last=False)
        return text

    def get(self, text: str) -> Optional[_Held]:
        """The value behind `text`."""
        with self._lock:
            return self._held.get(text)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._held.clear()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._held)})"


class Codes:
    """All of them, with the marks of those that were used."""

    def __init__(self) -> None:
        self.authorization: Held[AuthorizationCode] = Held()
        self.refresh: Held[RefreshToken] = Held()
        self.device: Held[DeviceCode] = Held()
        self._lock = threading.Lock()
        self._device_by_user_code: Dict[str, DeviceCode] = {}
        self._used: OrderedDict[str, None] = OrderedDict()
        self._ended: Set[str] = set()

    def clear(self) -> None:
        """Forget all."""
        for held in (self.authorization, self.refresh, self.device):
            held.clear()
        with self._lock:
            self._device_by_user_code.clear()
            self._used.clear()
            self._ended.clear()

    def use(self, text: str) -> bool:
        """Mark a code or refresh token as used. False: it was before."""
        with self._lock:
            if text in self._used:
                return False
            self._used[text] = None
            if len(self._used) > 2 * _MOST_KEPT:
                self._used.popitem(last=False)
            return True

    def end_session(self, session: str) -> None:
        """Let nothing of this session count any more."""
        with self._lock:
            self._ended.add(session)

    def has_ended(self, session: str) -> bool:
        """Whether `end_session` was called."""
        with self._lock:
            return session in self._ended

    def add_device_code(self, code: DeviceCode) -> None:
        """Keep a device code, to be found by either of its texts."""
        self.device.put(code.device_code, code)
        with self._lock:
            self._device_by_user_code[code.user_code] = code

    def device_code_for(self, user_code: str, now: int) -> Optional[DeviceCode]:
        """What a person means who enters `user_code`; None if it is wrong, over, or was answered already."""
        with self._lock:
            self._device_by_user_code = {
                text: one for text, one in self._device_by_user_code.items() if one.expires_on > now
            }
            code = self._device_by_user_code.get(canonical_user_code(user_code))
        return None if code is None or code.declined or code.signed_in is not None else code


def new_secret(prefix: str = "") -> str:
    """A text that nobody guesses."""
    return prefix + secrets.token_urlsafe(48)


def new_user_code() -> str:
    """A code that people can type."""
    return "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(_USER_CODE_LENGTH))


def canonical_user_code(text: str) -> str:
    """A code as typed, without blanks and hyphens, in capitals."""
    return "".join(text.split()).replace("-", "").upper()
