"""How long to keep asking a host that does not answer, or not yet. Pure: the flow does the waiting.

The pauses are azure-core's: none before the first repetition, then `factor * 2^(n - 1)` seconds before the n-th. Unlike
there, a flow may cut the series short when nobody should wait for its end.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional

CONNECT, READ, STATUS = "connect", "read", "status"
"""What went wrong. Each kind of trouble has a counter of its own beside the total."""

TRANSIENT = frozenset((408, 429, 500, 502, 503, 504))
"""Statuses azure-core repeats a request after, beside those from 506 on."""
JITTER = 0.25
"""Pauses are up to this much longer, so that many processes on one host do not come back all at once."""


class Retries(NamedTuple):
    """What is left of a caller's patience."""

    total: int = 10
    connect: int = 3
    read: int = 3
    status: int = 3
    factor: float = 0.8
    """Seconds."""
    longest: float = 30
    """Seconds. A host that asks to wait longer is not waited for."""
    fixed: bool = False
    """Whether all pauses are equally long."""
    statuses: frozenset[int] = TRANSIENT
    deadline: Optional[float] = None
    """Seconds for everything together."""
    own_factor: bool = True
    """Whether the factor is the library's choice, not the user's."""

    def after(self, trouble: str) -> Optional[Retries]:
        """What is left after one repetition because of `trouble`; None if there must not be one."""
        left = self._replace(total=self.total - 1, **{trouble: getattr(self, trouble) - 1})
        return None if left.total < 0 or getattr(left, trouble) < 0 else left

    def hurried(self) -> Retries:
        """For callers that have a token: one repetition, at once."""
        return self._replace(total=min(self.total, 1))

    def repeats(self, status: int) -> bool:
        """Whether this status says to try again."""
        return status in self.statuses or 506 <= status <= 599

    def pause(self, n: int, factor: Optional[float] = None) -> float:
        """Seconds before the n-th repetition, n from 1. `factor` replaces the library's own, not the user's."""
        if n <= 1:
            return 0.0
        growth = factor if factor is not None and self.own_factor else self.factor
        return min(growth if self.fixed else growth * 2 ** (min(n, 64) - 1), self.longest)


def configured(options: Mapping[str, Any], **defaults: Any) -> Retries:
    """A host's own patience, changed by the keywords a user gave (those of azure-core's retry policy)."""
    names = {
        "retry_total": "total",
        "retry_connect": "connect",
        "retry_read": "read",
        "retry_status": "status",
        "retry_backoff_factor": "factor",
        "retry_backoff_max": "longest",
        "timeout": "deadline",
    }
    changes: dict[str, Any] = {names[name]: value for name, value in options.items() if name in names}
    retries = Retries(**defaults)._replace(**{name: value for name, value in changes.items() if value is not None})
    if "factor" in changes:
        retries = retries._replace(own_factor=False)
    if options.get("retry_mode") is not None:
        retries = retries._replace(fixed=str(getattr(options["retry_mode"], "value", options["retry_mode"])) == "fixed")
    if options.get("retry_on_status_codes"):
        retries = retries._replace(statuses=retries.statuses | frozenset(options["retry_on_status_codes"]))
    return retries
