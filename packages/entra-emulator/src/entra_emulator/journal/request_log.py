"""What clients have asked, for tests to assert on. Secrets are kept, but never shown by a repr."""

from __future__ import annotations

import threading
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Deque, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union, overload

_SECRETS = frozenset(
    {
        "client_secret",
        "client_assertion",
        "assertion",
        "password",
        "refresh_token",
        "code",
        "code_verifier",
        "device_code",
        "user_code",
        "otp",
        "csrf",
        "id_token_hint",
        "authorization",
        "cookie",
        "x-identity-header",
        "secret",
    }
)
_REDACTED = "[redacted]"


class Fields(Mapping[str, str]):
    """Names and values of a request. Names compare without case; of repeated names, the last value counts."""

    def __init__(self, items: Iterable[Tuple[str, str]] = ()) -> None:
        self._items: Dict[str, Tuple[str, str]] = {name.lower(): (name, value) for name, value in items}

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        shown = {name: _REDACTED if key in _SECRETS else value for key, (name, value) in self._items.items()}
        return repr(shown)


@dataclass
class LoggedRequest:
    """One request. It appears in the log when it arrives; `status` and `fault` are filled in when it is answered."""

    endpoint: str
    """The name of the endpoint: `token`, `openid-configuration`, ... or `unknown`."""
    method: str
    path: str
    query: Fields
    headers: Fields
    form: Fields
    peer_port: int
    """The client's port. Requests of one port came through one connection."""
    started: float
    """When it arrived, in real epoch seconds."""
    trace_id: str
    """The emulator's id of the request, as in errors and in the header `x-ms-request-id`."""
    correlation_id: str
    """The client's id of the request (`client-request-id`), or one of the emulator's."""
    duplicates: Tuple[str, ...] = field(default=(), repr=False)
    """Names that the form has more than once."""
    status: Optional[int] = None
    """The HTTP status of the answer; None while there is none, and when the connection was reset."""
    fault: Optional[str] = None
    """What a scripted fault did to the answer."""


current: ContextVar[LoggedRequest] = ContextVar("entra_emulator_request")
"""The entry of the request that is being answered in this task."""


class RequestLog:
    """The latest requests, oldest first. Safe to read while the server runs.

    :param keep: how many; older ones are dropped.
    """

    def __init__(self, keep: int = 10_000) -> None:
        self._lock = threading.Lock()
        self._requests: Deque[LoggedRequest] = deque(maxlen=keep)

    def add(self, request: LoggedRequest) -> None:
        """Append one."""
        with self._lock:
            self._requests.append(request)

    def to(self, endpoint: Optional[str] = None) -> List[LoggedRequest]:
        """The requests to `endpoint`, or all."""
        with self._lock:
            return [one for one in self._requests if endpoint in (None, one.endpoint)]

    def count(self, endpoint: Optional[str] = None) -> int:
        """How many requests `endpoint` got, or all endpoints together."""
        return len(self.to(endpoint))

    def last(self, endpoint: Optional[str] = None) -> LoggedRequest:
        """The latest request to `endpoint`, or to any. :raises LookupError: there is none."""
        found = self.to(endpoint)
        if not found:
            raise LookupError(f"no request to {endpoint or 'any endpoint'}")
        return found[-1]

    def connections(self, endpoint: Optional[str] = None) -> int:
        """How many connections those requests came through."""
        return len({one.peer_port for one in self.to(endpoint)})

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._requests.clear()

    def __len__(self) -> int:
        return len(self._requests)

    @overload
    def __getitem__(self, index: int) -> LoggedRequest: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[LoggedRequest]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[LoggedRequest, Sequence[LoggedRequest]]:
        return self.to()[index]

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self.to())

    def __repr__(self) -> str:
        return f"RequestLog({self.to()!r})"
