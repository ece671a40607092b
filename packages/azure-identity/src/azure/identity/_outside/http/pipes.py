"""HTTP for the I/O ports: azure-core pipelines over shared connection pools.

1. A *pipe* is a pipeline over a transport. Credentials whose options are equal share one pipe, and with it the
   connections, the TLS context and the policies: a web API that makes a credential per request must not open a
   connection per request.
2. A pipe is counted: it closes when the last credential that uses it is closed or collected.
3. Options that cannot be compared (a transport, a session, a hook that is a lambda made anew each time) get a pipe of
   their own.
4. An async pipe belongs to one event loop. A process that forks starts with no pipes: sockets must not be shared with
   the parent.
5. A trust store is loaded once per process and setting: that costs 40 ms and half a megabyte each time.
6. Token requests are safe to repeat, so POST is retried like GET. A `Retry-After` longer than the longest pause
   (`retry_backoff_max`, 30 seconds unless set) is not slept through: the caller gets the answer and can decide.
7. Requests with rules of their own (no proxy, a pinned certificate) have pipes of their own: see `routes`.
8. A web API makes a credential per request and leaves it to the garbage collector. A sync pipe whose last user was
   collected, not closed, therefore waits a while for the next one; it closes when another is asked for after that, or
   with the process. An async pipe cannot: its event loop may be closed before it.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Optional

from .routes import routed_options

if TYPE_CHECKING:
    from .routes import Route

CONNECT_TIMEOUT = 20
"""Default of `connection_timeout`, seconds. azure-core's 300 would let an unreachable authority block for 20
minutes."""
READ_TIMEOUT = 60
"""Default of `read_timeout`, seconds."""
POOL_SIZE = 64
"""Idle connections a shared pool keeps per host."""
ROUTES = 4
"""Routes with a TLS rule that one port keeps pipes for. A credential needs one at a time."""

_TRANSPORT_OPTIONS = (
    "connection_timeout",
    "read_timeout",
    "connection_verify",
    "connection_cert",
    "connection_data_block_size",
    "use_env_settings",
)

_generation = 0
"""Counts forks: a pipe made before a fork belongs to the parent."""
# Re-entrant: the garbage collector may run in the thread that holds it, and come upon a port that nobody closed.
_lock = threading.RLock()


def lock() -> threading.RLock:
    """Held by whoever changes or walks a table of pipes."""
    return _lock


def _after_fork() -> None:
    global _generation, _lock
    _generation += 1
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Pipe:
    """A pipeline, its transport, and who uses it."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self._generation = _generation
        self._owners: dict[int, weakref.finalize[Any, Any]] = {}
        self.policies: list[Any] = []
        self.retired = False
        """Whether its last user is gone."""

    def forked(self) -> bool:
        """Whether the process forked since this pipe was made."""
        return self._generation != _generation

    def adopt(self, owner: Any) -> None:
        """Count `owner` as a user until it lets go or is collected."""
        finalizer = weakref.finalize(owner, self._abandoned, id(owner))
        finalizer.atexit = False
        self._owners[id(owner)] = finalizer

    def drop(self, owner_id: int) -> bool:
        """One user less; True if that was the last one."""
        finalizer = self._owners.pop(owner_id, None)
        if finalizer is not None:
            finalizer.detach()
        self.retired = not self._owners
        return finalizer is not None and self.retired

    def _abandoned(self, owner_id: int) -> None:
        raise AssertionError("each kind has its own")


class RoutedPipes:
    """The pipes of one port (and event loop) for requests with rules of their own, by route."""

    def __init__(self) -> None:
        self._pipes: dict[Route, Any] = {}

    def __iter__(self) -> Iterator[Any]:
        with _lock:
            return iter(list(self._pipes.values()))

    def get(self, route: Route) -> Any:
        """The pipe of a route, or None if there is none that can be used."""
        pipe = self._pipes.get(route)
        return None if pipe is None or pipe.retired or pipe.forked() else pipe

    def put(self, route: Route, pipe: Any) -> list[Any]:
        """Keep the pipe of a route. Returns pipes that are of no use after that."""
        with _lock:
            dropped = [self._pipes.pop(old) for old in list(self._pipes) if old == route or route.replaces(old)]
            self._pipes[route] = pipe
            ruled = [old for old in self._pipes if old.tls is not None]
            dropped += [self._pipes.pop(old) for old in ruled[:-ROUTES]]
        return [old for old in dropped if old is not pipe and not old.forked()]


def routed(options: Mapping[str, Any], route: Optional[Route]) -> tuple[Mapping[str, Any], Any]:
    """The options that apply on a route, and the key of their pipe."""
    if route is None:
        return options, comparable(options)
    options = routed_options(options, route)
    key = comparable(options)
    return options, None if key is None else (key, route)


def comparable(options: Mapping[str, Any]) -> Any:
    """A dictionary key that is equal for equal options; None if they cannot be compared or must not be shared."""
    if options.get("transport") is not None or options.get("session") is not None:
        return None
    try:
        environment = tuple(os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
        return (environment, *_frozen(options))
    except TypeError:
        return None


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(sorted((str(name), _frozen(item)) for name, item in value.items()))
    if value is None or isinstance(value, (str, int, float, bool, bytes)):
        return (type(value).__name__, value)
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} is not compared by value")


def transport_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {"connection_timeout": CONNECT_TIMEOUT, "read_timeout": READ_TIMEOUT}
    settings.update({name: options[name] for name in _TRANSPORT_OPTIONS if name in options})
    if isinstance(settings["connection_timeout"], tuple):
        del settings["read_timeout"]
    return settings


def routed_arguments(route: Route, given: Mapping[str, Any]) -> dict[str, Any]:
    """What policies gave for sending, without what would break the route's rules."""
    void = (("proxies", "proxy") if route.direct else ()) + (
        ("connection_verify", "connection_cert", "ssl") if route.tls is not None else ()
    )
    return {name: value for name, value in given.items() if name not in void}
