"""The in-memory token cache of a credential.

1. A key holds everything that changes the answer (see `TokenKey`), so a look-up is one dictionary access: no scan, no
   lock, the same cost for one entry as for ten thousand.
2. An entry is replaced, never edited, except for its two bookkeeping fields (when renewal was last tried, and whether
   somebody is at it). They are only changed under the cache's lock.
3. Growth is bounded: a heap ordered by expiry drops expired tokens as new ones arrive, and above `limit` entries the
   token that expires soonest goes first.
4. A persistent or shared store joins behind this class later: it will be asked on a miss and told on a `put`.
"""

from __future__ import annotations

import heapq
import os
import weakref
from typing import TYPE_CHECKING, NamedTuple, Optional

from .._outside.locks import RLock
from .refresh import LAST_MINUTES

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo

    from .._values.messages import Token

LIMIT = 20_000
"""Entries one cache holds at most. A token takes about 2 kB, so this is some 40 MB."""


class TokenKey(NamedTuple):
    """Everything that tells one token from another. Two requests with equal keys may share a token."""

    cloud: str
    """The canonical host of the authority's cloud, so that aliases share and clouds never do."""
    tenant: str
    """Lower case."""
    client_id: str
    subject: str
    """Whom the token is for: empty for the application itself, else the account or a hash of the user assertion."""
    scopes: tuple[str, ...]
    """Sorted, without duplicates."""
    cae: bool
    """Tokens for callers that handle continuous access evaluation are kept apart: they live longer and can be
    revoked."""


class Entry:
    """A cached token, with the two objects a caller may want made only once."""

    __slots__ = ("access_token", "fresh_until", "info", "last_attempt", "renewing", "reusable", "token")

    def __init__(self, token: Token, now: int) -> None:
        from azure.core.credentials import AccessToken

        self.token = token
        self.access_token: AccessToken = AccessToken(token.token, token.expires_on)
        self.info: Optional[AccessTokenInfo] = None
        """What `get_token_info` returns, where a foreign credential made it; else it is made for each caller."""
        self.last_attempt = now
        self.renewing = False
        self.reusable = True
        """Whether a face may use it without asking the flow. False where something else than time decides."""
        fresh_until = token.expires_on - LAST_MINUTES
        if token.refresh_on is not None and token.refresh_on < fresh_until:
            fresh_until = token.refresh_on
        self.fresh_until = fresh_until
        """Until then (exclusive) the token is used without a further thought."""

    def __repr__(self) -> str:
        return f"Entry(expires_on={self.token.expires_on})"


_caches: weakref.WeakSet[TokenCache] = weakref.WeakSet()


def _after_fork() -> None:
    # A thread of the parent may have held a lock, or been renewing a token; it does not exist in the child. The tokens
    # are good there too.
    for cache in _caches:
        cache._lock = RLock()
        for entry in cache._entries.values():
            entry.renewing = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class TokenCache:
    """Tokens by key. Safe for threads; shared by tasks of any event loop."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._entries: dict[TokenKey, Entry] = {}
        self._expiries: list[tuple[int, int, TokenKey]] = []
        self._order = 0
        self._limit = limit
        # Re-entrant: the garbage collector may throw away the coroutine of a renewal in the thread that holds it.
        self._lock = RLock()
        _caches.add(self)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: TokenKey) -> Optional[Entry]:
        """The entry for `key`, expired or not, or None."""
        return self._entries.get(key)

    def put(self, key: TokenKey, token: Token, now: int) -> Entry:
        """Keep `token`, acquired at `now`, in place of what the key held before."""
        entry = Entry(token, now)
        with self._lock:
            replaced = self._entries.get(key)
            if replaced is not None:
                # Faces that remember it must ask again: it may have been revoked before its time (claims challenges).
                replaced.fresh_until = 0
            self._entries[key] = entry
            self._order += 1
            heapq.heappush(self._expiries, (token.expires_on, self._order, key))
            self._shrink(now)
        return entry

    def claim_renewal(self, entry: Entry, now: int) -> bool:
        """Whether the caller shall renew `entry` now. True for one caller at a time; it must call `end_renewal`."""
        with self._lock:
            if entry.renewing:
                return False
            entry.renewing = True
            entry.last_attempt = now
            return True

    def end_renewal(self, entry: Entry) -> None:
        """The renewal claimed for `entry` is over, however it went."""
        with self._lock:
            entry.renewing = False

    def note_attempt(self, entry: Entry, now: int) -> None:
        """An acquisition that was to replace `entry` began at `now`, and failed."""
        with self._lock:
            entry.last_attempt = now

    def forget_others(self, subject: str) -> None:
        """Forget the tokens of all but `subject`. Faces that remember one must ask again."""
        with self._lock:
            for key in [key for key in self._entries if key.subject != subject]:
                self._entries.pop(key).fresh_until = 0

    def clear(self) -> None:
        """Forget every token."""
        with self._lock:
            self._entries.clear()
            self._expiries.clear()

    def _shrink(self, now: int) -> None:
        # A heap item is stale when its key has a newer entry. Stale items are skipped here and, when replacements
        # outnumber the living (a token renewed for weeks next to one that lives for a year), swept out at once.
        if len(self._expiries) > 2 * len(self._entries) + 16:
            self._expiries = [(entry.token.expires_on, i, key) for i, (key, entry) in enumerate(self._entries.items())]
            self._order = len(self._expiries)
            heapq.heapify(self._expiries)
        while self._expiries:
            expires_on, _, key = self._expiries[0]
            entry = self._entries.get(key)
            if entry is None or entry.token.expires_on != expires_on:
                heapq.heappop(self._expiries)
            elif expires_on <= now or len(self._entries) > self._limit:
                heapq.heappop(self._expiries)
                del self._entries[key]
            else:
                break
