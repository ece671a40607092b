from __future__ import annotations

from typing import List

from entra_emulator import Clock


class Time:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_runs_with_real_time():
    """An untouched clock shows real time in whole seconds."""
    real = Time(1000.9)

    assert Clock(real).now() == 1000


def test_advance_keeps_it_running():
    """A moved clock keeps its distance from real time."""
    real = Time(1000)
    clock = Clock(real)
    clock.advance(50)
    real.now = 1001

    assert clock.now() == 1051


def test_set_jumps_and_runs_on():
    """After a jump, time goes on."""
    real = Time(1000)
    clock = Clock(real)
    clock.set(5)
    real.now = 1010

    assert clock.now() == 15


def test_freeze_stops_it():
    """A frozen clock moves only when it is moved."""
    real = Time(1000)
    clock = Clock(real)
    clock.freeze()
    real.now = 2000
    frozen = clock.now()
    clock.advance(7)
    moved = clock.now()
    clock.set(3)

    assert (frozen, moved, clock.now()) == (1000, 1007, 3)


def test_reset_returns_to_real_time():
    """Reset undoes moving and freezing."""
    clock = Clock(Time(1000))
    clock.advance(5)
    clock.freeze(1)
    clock.reset()

    assert clock.now() == 1000
    assert repr(clock) == "Clock(now=1000)"


def test_watchers():
    """Who watches is told after each move, by which the new time holds already, until it ends that."""
    clock = Clock(Time(1000))
    seen: List[int] = []
    end = clock.watch(lambda: seen.append(clock.now()))
    clock.advance(5)
    clock.freeze(2000)
    clock.set(3000)
    clock.reset()
    end()
    end()
    clock.advance(1)

    assert seen == [1005, 2000, 3000, 1000]
