"""Single flight: of all who want the same thing at the same time, one gets it and the others share what it got.

The rules, for threads and for tasks on any number of event loops alike:

1. Per key there is at most one leader. Whoever comes while it is away waits; different keys never wait for each other.
2. The leader succeeds: every waiter gets its result at once. Nobody queues for a lock after that.
3. The leader fails: the waiters try again, and one of them becomes the next leader. Only when a second leader fails too
   does a waiter that saw both failures get that failure, so a wrong secret costs a crowd two requests, not a thousand.
   A failure that says so (`error.for_everybody = True`) is that of all waiters at once: a person who has declined is
   not asked again because others wait.
4. The leader is cancelled (or its coroutine is thrown away): the same hand-over, but it does not count as a failure,
   and nobody else is cancelled by it.
5. A waiter that is cancelled or interrupted simply leaves.
6. Leadership is never handed to a particular waiter: all are woken and the first that runs takes it. A waiter whose
   event loop has stopped for good can therefore not hold up the others. A leader whose event loop has stopped is given
   up by waiters elsewhere after a while (`STALLED_AFTER`).
7. A flight exists only while it has a leader or waiters. Nothing is kept afterwards.
8. A forked child starts without flights: their leaders are threads of the parent.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Callable, Hashable, Optional

if TYPE_CHECKING:
    import asyncio

STALLED_AFTER = 2.0
"""Seconds between looks at whether a leader's event loop still runs."""
SHARED_FAILURE = 2
"""How many leaders must fail while somebody waits before it gets their failure instead of another try."""


class Flight:
    """What a caller holds inside `async with io.single_flight(key) as flight`."""

    __slots__ = ("_departure", "_failures", "_key", "_table", "_waker", "result", "shared")

    def __init__(self, table: FlightTable, key: Hashable, waker: Waker) -> None:
        self._table = table
        self._key = key
        self._waker = waker
        self._departure: Optional[_Departure] = None
        self._failures = 0
        self.result: Any = None
        """The leader sets it; for a follower it holds what the leader got."""
        self.shared = False
        """True for a follower: `result` is the answer, and there is nothing left to do."""

    async def __aenter__(self) -> Flight:
        while True:
            departure, leading = self._table.board(self._key, self._waker)
            if leading:
                self._departure = departure
                return self
            try:
                await self._waker.wait(departure)
            finally:
                self._table.leave(departure, self._waker)
            if departure.landed:
                self.result, self.shared = departure.result, True
                return self
            if departure.failure is not None:
                self._failures += 1
                if self._failures >= SHARED_FAILURE or getattr(departure.failure, "for_everybody", False):
                    raise departure.failure

    async def __aexit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], _: object) -> None:
        if self._departure is not None:
            self._table.land(self._key, self._departure, self.result, error)


_tables: weakref.WeakSet[FlightTable] = weakref.WeakSet()


def _after_fork() -> None:
    for table in _tables:
        table.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Departure:
    """One leader's attempt, and those who wait for it."""

    __slots__ = ("done", "failure", "landed", "leader", "result", "waiters")

    def __init__(self, leader: Waker) -> None:
        self.leader = leader
        self.waiters: list[Waker] = []
        self.done = False
        self.landed = False
        self.result: Any = None
        self.failure: Optional[Exception] = None


class FlightTable:
    """The flights under way, by key."""

    def __init__(self) -> None:
        self.start_anew()
        _tables.add(self)

    def start_anew(self) -> None:
        """Forget all flights: in a forked child nobody is there to land them."""
        self._departures: dict[Hashable, _Departure] = {}
        # Re-entrant: the garbage collector may throw away a leader's coroutine in the thread that holds it.
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._departures)

    def board(self, key: Hashable, waker: Waker) -> tuple[_Departure, bool]:
        """The attempt under way for `key` and False; or, if there is none, a new one and True: the caller leads it."""
        with self._lock:
            departure = self._departures.get(key)
            if departure is not None and not departure.leader.stalled():
                departure.waiters.append(waker)
                return departure, False
            departure = self._departures[key] = _Departure(waker)
            return departure, True

    def leave(self, departure: _Departure, waker: Waker) -> None:
        """The caller no longer waits."""
        with self._lock:
            if waker in departure.waiters:
                departure.waiters.remove(waker)

    def land(self, key: Hashable, departure: _Departure, result: Any, error: Optional[BaseException]) -> None:
        """The leader is back, with a result or an error."""
        with self._lock:
            if self._departures.get(key) is departure:
                del self._departures[key]
            departure.result = result
            departure.landed = error is None and result is not None
            departure.failure = error if isinstance(error, Exception) else None
            departure.done = True
            waiters, departure.waiters = departure.waiters, []
        wake_all(waiters)


class Waker:
    """How one caller waits and is woken. Each I/O port has its own kind."""

    __slots__ = ()

    async def wait(self, departure: _Departure) -> None:
        """Wait until the attempt is over, or until its leader has stalled."""
        raise AssertionError("each port has its own")

    def wake(self) -> None:
        """Called from any thread."""
        raise AssertionError("each port has its own")

    def stalled(self) -> bool:
        """Whether this caller, as a leader, can be known to make no progress any more."""
        return False

    def stalls_with(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether this caller, as a leader, can only stall together with an event loop. A thread does not stall at
        all."""
        return True


class ThreadWaker(Waker):
    """Waits by blocking the calling thread."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    async def wait(self, departure: _Departure) -> None:
        self._event.clear()
        # The flag is looked at after the event is cleared, so a wake-up in between is not lost. Waiting in slices keeps
        # Ctrl-C working on Windows, where a wait without end cannot be interrupted.
        while not departure.done and not departure.leader.stalled():
            self._event.wait(STALLED_AFTER)

    def wake(self) -> None:
        self._event.set()


class TaskWaker(Waker):
    """Waits by suspending the calling task on its event loop."""

    __slots__ = ("_future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._future: Optional[asyncio.Future[None]] = None

    async def wait(self, departure: _Departure) -> None:
        import asyncio

        while True:
            self._future = self.loop.create_future()
            if departure.done or departure.leader.stalled():
                return
            if departure.leader.stalls_with(self.loop):
                # While this task can run, so can the leader: no need to look whether its event loop has stopped, nor
                # for a timer in each of a thousand tasks.
                await self._future
                return
            await asyncio.wait([self._future], timeout=STALLED_AFTER)

    def wake(self) -> None:
        wake_all([self])

    def release(self) -> None:
        """Called on the loop's own thread."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def stalled(self) -> bool:
        return self.loop.is_closed() or not self.loop.is_running()

    def stalls_with(self, loop: asyncio.AbstractEventLoop) -> bool:
        return self.loop is loop


def wake_all(waiters: list[Waker]) -> None:
    """Wake threads directly, and the tasks of each event loop with one call into it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = {}
    for waiter in waiters:
        if isinstance(waiter, TaskWaker):
            by_loop.setdefault(waiter.loop, []).append(waiter.release)
        else:
            waiter.wake()
    for loop, releases in by_loop.items():
        try:
            loop.call_soon_threadsafe(_call_each, releases)
        except RuntimeError:
            continue  # that loop was closed: nobody waits there any more


def _call_each(functions: list[Callable[[], None]]) -> None:
    for function in functions:
        function()
