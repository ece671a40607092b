"""Fixtures for people who sign in."""

from __future__ import annotations

import webbrowser
from typing import Any, Iterator

import pytest
from desk import Desk, Pauses

from entra_emulator import EntraEmulator


@pytest.fixture
def desk(entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Ada sits there."""
    made = Desk(entra)
    monkeypatch.setenv("BROWSER", "a browser")
    monkeypatch.setattr(webbrowser, "open", made.open)
    yield made
    made.wait()


@pytest.fixture
def no_waiting(entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """The pauses that credentials make. The emulator's clock and their stopwatches move instead."""
    from azure.identity._outside.blocking import BlockingIO
    from azure.identity._outside.port import Port
    from azure.identity._outside.suspending import AsyncIO

    made = Pauses()

    async def sleep(self: Any, seconds: float) -> None:
        made.make(seconds)
        entra.clock.advance(seconds)

    for port in (BlockingIO, AsyncIO):
        monkeypatch.setattr(port, "sleep", sleep)
    monkeypatch.setattr(Port, "stopwatch", lambda self: float(sum(made)))
    return made
