"""The emulator's clock: everything it issues and checks reads this one, except TLS."""

from __future__ import annotations

import threading
import time
from typing import Callable, List, Optional


class Clock:
    """A clock that tests can move. It runs with real time until told otherwise.

    :param source: real time in epoch seconds. Default: `time.time`.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._offset = 0.0
        self._frozen: Optional[float] = None
        self._watchers: List[Callable[[], None]] = []

    def now(self) -> int:
        """The emulator's time in whole epoch seconds."""
        with self._lock:
            return int(self._exact())

    def exact(self) -> float:
        """The same with its fraction."""
        with self._lock:
            return self._exact()

    def advance(self, seconds: float) -> None:
        """Move the clock by `seconds`; negative values move it back."""
        with self._lock:
            if self._frozen is not None:
                self._frozen += seconds
            else:
                self._offset += seconds
        self._moved()

    def set(self, epoch: float) -> None:
        """Jump to `epoch` (seconds). The clock runs on from there, or stays there if it is frozen."""
        with self._lock:
            if self._frozen is not None:
                self._frozen = float(epoch)
            else:
                self._offset = epoch - self._source()
        self._moved()

    def freeze(self, epoch: Optional[float] = None) -> None:
        """Stop the clock, at `epoch` (seconds) or at its present time. `advance` and `set` still move it."""
        with self._lock:
            self._frozen = self._exact() if epoch is None else float(epoch)
        self._moved()

    def reset(self) -> None:
        """Back to real time, running."""
        with self._lock:
            self._offset = 0.0
            self._frozen = None
        self._moved()

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` after each time the clock was moved, in the thread that moved it. Returns what ends that."""
        with self._lock:
            self._watchers.append(notify)

        def end() -> None:
            with self._lock:
                if notify in self._watchers:
                    self._watchers.remove(notify)

        return end

    def _moved(self) -> None:
        with self._lock:
            watchers = list(self._watchers)
        for notify in watchers:
            notify()

    def _exact(self) -> float:
        return self._frozen if self._frozen is not None else self._source() + self._offset

    def __repr__(self) -> str:
        return f"Clock(now={self.now()})"
