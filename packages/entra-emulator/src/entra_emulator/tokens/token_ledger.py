"""Which access tokens can be called back: those of clients that can handle a claims challenge.

APIs learn of a revocation while such a token still lives ("Continuous access evaluation"); others run to their end.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Dict, Optional, Tuple

_MOST_KEPT = 50_000


class TokenLedger:
    """Remembers tokens by their `uti` claim. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: OrderedDict[str, Tuple[str, int]] = OrderedDict()
        self._revoked: Dict[str, Tuple[int, int]] = {}

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._holders.clear()
            self._revoked.clear()

    def note(self, holder: str, uti: str, expires_on: int) -> None:
        """A token was issued to `holder`: an app's client id, or a user's home account id."""
        with self._lock:
            self._holders[uti] = (holder, expires_on)
            if len(self._holders) > _MOST_KEPT:
                self._holders.popitem(last=False)

    def revoke(self, holder: str, now: int) -> None:
        """Call back every token that `holder` has. :param now: epoch seconds."""
        with self._lock:
            for uti, (owner, expires_on) in list(self._holders.items()):
                if owner == holder:
                    self._revoked[uti] = (now, expires_on)
                    del self._holders[uti]
            self._revoked = {uti: one for uti, one in self._revoked.items() if one[1] > now}

    def revoked_at(self, uti: object) -> Optional[int]:
        """When the token was called back, in epoch seconds; None if it was not."""
        with self._lock:
            found = self._revoked.get(uti) if isinstance(uti, str) else None
        return found[0] if found else None
