"""The I/O port: everything a flow may ask of the outside world, once blocking and once suspending.

The theory, in five rules.

1. A flow is an `async def` that awaits nothing but the methods of its port (and other flows given the same port).
2. `AsyncIO` really suspends: its methods wait for the event loop.
3. `BlockingIO` never suspends: its methods are `async def`s that block the calling thread and return. A flow that runs
   on it therefore reaches its end in one go, and `run_blocking` can drive it with a single `send(None)`.
4. A flow that awaits something else would suspend; `run_blocking` reports that as the bug it is.
5. Foreign exceptions (azure-core, requests, aiohttp, OS) become a `PortError` here and nowhere else, so both worlds
   fail alike. What a user's own callback raises passes unchanged: it is theirs.

Only this room may import what reaches outside (asyncio, time, subprocess, threading, sockets, azure-core's pipeline); a
test says so. All but the clock is imported when first used.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Hashable, Mapping, Optional, Protocol, TypeVar

from .._values.messages import Unreadable

if TYPE_CHECKING:
    from .._values.messages import Command, Completed, Request, Response
    from .flights import Flight, FlightTable
    from .redirects import RedirectListener

T = TypeVar("T")

clock = time.time
"""Seconds since the epoch. The two shells read it to look in the cache before a flow is made."""


class FlowIO(Protocol):
    """Everything a flow may ask of the outside world."""

    def now(self) -> int:
        """Whole seconds since the epoch."""
        ...

    def stopwatch(self) -> float:
        """Seconds on a clock that never steps, to measure how long something took."""
        ...

    def new_id(self) -> str:
        """A new random UUID (RFC 9562, version 4), for correlation ids and `jti` claims."""
        ...

    async def send(self, request: Request) -> Response:
        """Send an HTTP request through the credential's pipeline. Raises Unreachable."""
        ...

    async def run(self, command: Command) -> Completed:
        """Run a program to its end. Raises CannotRun or TimedOut; on any exception the process tree is gone."""
        ...

    async def read(self, path: str, limit: int = 1_000_000, *, follow_links: bool = True) -> bytes:
        """The content of a regular file of at most `limit` bytes. Raises Unreadable."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def random(self, size: int) -> bytes:
        """Random bytes fit for secrets."""
        ...

    async def listen(self, host: str, port: int, path: str, state: str) -> RedirectListener:
        """Begin to wait for a sign-in to come back; port 0 is any free one. Raises CannotListen. Close the listener."""
        ...

    async def receive(self, listener: RedirectListener, timeout: float) -> Optional[Mapping[str, str]]:
        """What came back, or None after `timeout` seconds."""
        ...

    def no_browser(self) -> Optional[str]:
        """Why no web browser can be shown to a person here; None if one may be there."""
        ...

    async def open_browser(self, url: str) -> bool:
        """Open the person's web browser. False if there is none."""
        ...

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a user's function or a foreign credential. An awaitable result is awaited where that is possible."""
        ...

    async def work(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that blocks, off the event loop if there is one."""
        ...

    async def enter(self, resource: Any) -> None:
        """Enter the context of a transport or credential, if it has one of this world's kind."""
        ...

    async def leave(self, resource: Any, *exc: Any) -> None:
        """Leave it, or close the resource, whichever it can."""
        ...

    async def open(self) -> None:
        """Begin of a `with` block: open a transport the user gave. Others open with the first request."""
        ...

    async def close(self, *exc: Any) -> None:
        """Close the user's transport, or let go of the shared one. A port that never opened anything stays usable."""
        ...

    def single_flight(self, key: Hashable) -> Flight:
        """An async context manager: one acquisition per key at a time. See `flights` for the rules."""
        ...


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a flow that was given a `BlockingIO` to its end on this thread, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        coroutine.close()
    raise RuntimeError(
        f"{getattr(coroutine, '__qualname__', coroutine)} awaited something other than its I/O port, so it cannot run "
        "without an event loop. This is a bug in the credential."
    )


class Port:
    """What both ports share: the clock, ids, flights, and the options their HTTP pipeline is built from."""

    def __init__(self, options: Mapping[str, Any], flights: FlightTable) -> None:
        self._options = options
        self._flights = flights
        self._opened = False
        self.closed = False

    def now(self) -> int:
        return int(clock())

    def stopwatch(self) -> float:
        return time.perf_counter()

    def new_id(self) -> str:
        import uuid

        return str(uuid.uuid4())

    def random(self, size: int) -> bytes:
        import secrets

        return secrets.token_bytes(size)

    async def listen(self, host: str, port: int, path: str, state: str) -> RedirectListener:
        from .redirects import RedirectListener

        return RedirectListener(host, port, path, state)

    def no_browser(self) -> Optional[str]:
        from .redirects import no_browser_reason

        return no_browser_reason()


def read_file(path: str, limit: int, follow_links: bool) -> bytes:
    """What both ports do to read a file. Kind and size are checked on the open descriptor, which nobody can swap."""
    import os
    import stat

    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    if not follow_links:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror or error}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):  # before it becomes a file object: of a folder Python makes none
            raise Unreadable(f"{path}: not a regular file")
        if status.st_size > limit:
            raise Unreadable(f"{path}: larger than {limit} bytes")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror or error}") from error
    finally:
        os.close(descriptor)
