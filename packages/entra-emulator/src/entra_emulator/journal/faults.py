"""Scripted faults: what goes wrong, at which endpoint, for which requests."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Callable, Collection, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple, Union

from .request_log import LoggedRequest

ENDPOINTS: Tuple[str, ...] = (
    "token",
    "authorize",
    "devicecode",
    "devicelogin",
    "logout",
    "userinfo",
    "openid-configuration",
    "keys",
    "instance",
    "userrealm",
    "metadata",
    "subscriptions",
    "tenants",
    "federation",
    "resource",
    "chat",
    "error",
    "imds",
    "imds-compute",
    "app-service",
    "app-service-2017",
    "arc",
    "service-fabric",
    "cloud-shell",
    "azure-ml",
    "identity-binding",
    "unknown",
)
"""Names of endpoints, in the request log and for faults. `*` means any."""


@dataclass(frozen=True)
class Fault:
    """What happens to a request. Made by `Faults.add`."""

    endpoint: str
    status: Optional[int] = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Union[bytes, str, Mapping[str, Any], None] = None
    content_type: Optional[str] = None
    latency: float = 0.0
    torn: bool = False
    reset: bool = False
    drop: Tuple[str, ...] = ()
    replace: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answers(self) -> bool:
        """Whether the fault replaces the real answer."""
        return self.status is not None or self.body is not None

    def describe(self) -> str:
        """A few words for the request log."""
        words = [
            f"latency {self.latency:g} s" if self.latency else "",
            "reset" if self.reset else "",
            f"status {self.status or 200}" if self.answers else "",
            "torn" if self.torn else "",
            f"without {', '.join(self.drop)}" if self.drop else "",
            f"with other {', '.join(self.replace)}" if self.replace else "",
        ]
        return ", ".join(word for word in words if word)


class _Script:
    """One added fault with its count."""

    def __init__(
        self,
        fault: Fault,
        positions: Optional[FrozenSet[int]],
        times: Optional[int],
        where: Optional[Callable[[LoggedRequest], bool]],
    ) -> None:
        self.fault = fault
        self.positions = positions
        self.left = times
        self.where = where
        self.seen = 0

    def concerns(self, request: LoggedRequest) -> bool:
        return self.fault.endpoint in ("*", request.endpoint) and (self.where is None or self.where(request))


class Faults:
    """The faults in force.

    Of several that apply to a request, the one added first happens. `nth` counts all requests to the endpoint from the
    moment the fault was added; `times` counts the requests the fault has happened to. So faults with `times` queue up::

        entra.faults.add("token", times=2, status=503, headers={"Retry-After": "1"})
        entra.faults.add("token", times=1, reset=True)      # the third request
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: List[_Script] = []

    def add(
        self,
        endpoint: str,
        *,
        nth: Union[int, Collection[int], None] = None,
        times: Optional[int] = None,
        where: Optional[Callable[[LoggedRequest], bool]] = None,
        status: Optional[int] = None,
        headers: Optional[Mapping[str, str]] = None,
        body: Union[bytes, str, Mapping[str, Any], None] = None,
        content_type: Optional[str] = None,
        latency: float = 0.0,
        torn: bool = False,
        reset: bool = False,
        drop: Union[str, Sequence[str]] = (),
        replace: Optional[Mapping[str, Any]] = None,
    ) -> Fault:
        """Let something go wrong.

        :param endpoint: one of `ENDPOINTS`, or `*`.
        :keyword nth: which requests, from 1 on. Default: every one.
        :keyword times: how many requests at most. Default: no end.
        :keyword where: only requests for which this is true.
        :keyword status: answer with this status, and not with the real answer.
        :keyword headers: headers to add, to the real answer too.
        :keyword body: answer with this: text, bytes, or an object to be sent as JSON. Default with a status of 429 or
            from 500 on: an error in Entra's format; with others, nothing.
        :keyword content_type: of the answer. Default: JSON.
        :keyword latency: seconds to wait first; alone, the real answer follows.
        :keyword torn: announce the whole body, send half of it, and close.
        :keyword reset: send nothing; reset the connection (TCP RST).
        :keyword drop: members to leave out of the real JSON answer.
        :keyword replace: members to set in the real JSON answer.
        :raises ValueError: an argument that cannot be meant.
        """
        if endpoint != "*" and endpoint not in ENDPOINTS:
            raise ValueError(f"endpoint: expected one of {', '.join(ENDPOINTS)} or *, got {endpoint!r}")
        positions = None if nth is None else frozenset([nth] if isinstance(nth, int) else nth)
        if positions is not None and (not positions or min(positions) < 1):
            raise ValueError(f"nth: expected positions from 1 on, got {nth!r}")
        if times is not None and times < 1:
            raise ValueError(f"times: expected 1 or more, got {times!r}")
        if latency < 0:
            raise ValueError(f"latency: expected seconds, got {latency!r}")
        if status is not None and not 200 <= status <= 999:
            raise ValueError(f"status: expected a final HTTP status, got {status!r}")
        fault = Fault(
            endpoint,
            status,
            dict(headers or {}),
            body,
            content_type,
            latency,
            torn,
            reset,
            (drop,) if isinstance(drop, str) else tuple(drop),
            dict(replace or {}),
        )
        if not (fault.describe() or fault.headers or fault.content_type):
            raise ValueError("say what goes wrong: status, body, headers, latency, torn, reset, drop or replace")
        with self._lock:
            self._scripts.append(_Script(fault, positions, times, where))
        return fault

    def clear(self) -> None:
        """Remove all."""
        with self._lock:
            self._scripts.clear()

    def take(self, request: LoggedRequest) -> Optional[Fault]:
        """The fault that happens to `request`, if any. Counts the request."""
        with self._lock:
            taken: Optional[Fault] = None
            for script in self._scripts:
                if not script.concerns(request):
                    continue
                script.seen += 1
                if taken is None and script.left != 0 and (script.positions is None or script.seen in script.positions):
                    taken = script.fault
                    if script.left is not None:
                        script.left -= 1
            return taken

    def __len__(self) -> int:
        return len(self._scripts)

    def __repr__(self) -> str:
        with self._lock:
            shown: Dict[str, str] = {}
            for script in self._scripts:
                shown[script.fault.endpoint] = script.fault.describe()
            return f"Faults({shown!r})"


def edit_members(document: Any, fault: Fault) -> Any:
    """`document` without the members a fault drops, and with those it replaces."""
    if not isinstance(document, dict):
        return document
    return {**{name: value for name, value in document.items() if name not in fault.drop}, **fault.replace}
