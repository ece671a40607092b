"""The default chain where nobody can have a token: `chain.py sync|aio silent|refused`, and `chain.py floor`, which does
nothing. It must be started where nothing else can be reached, with the metadata address on the loopback interface
(`Scenario.isolated`).

`silent`: packets to the metadata address vanish, as off Azure. A listener without room for connections does that: Linux
drops what does not fit. All code but that of managed identity has run before. `refused`: nothing listens, so that what
takes time is the client's own; the runner measures the whole process.

A new credential each time; all in one process.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from typing import Any

from benchmarks.scenarios.support import SCOPE, identity, load_code, report

METADATA = ("169.254.169.254", 80)
FILLERS = 4
"""Connections that fill the queue of a listener with a backlog of zero, and more."""


def silence() -> list[socket.socket]:
    """Make the metadata address silent for as long as the sockets are kept."""
    listener = socket.socket()
    listener.bind(METADATA)
    listener.listen(0)
    fillers = []
    for _ in range(FILLERS):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(METADATA)
        fillers.append(filler)
    time.sleep(0.05)
    with socket.socket() as attempt:
        attempt.settimeout(0.2)
        try:
            attempt.connect(METADATA)
        except TimeoutError:
            return [listener, *fillers]
    raise RuntimeError("the listener still accepts connections")


def fall_through(**options: Any) -> float:
    """Milliseconds until the chain says that it has nothing."""
    started = time.perf_counter()
    with identity("sync").DefaultAzureCredential(**options) as credential:
        try:
            credential.get_token(SCOPE)
        except Exception as error:
            return _nothing(error, started)
    raise AssertionError("a token came from somewhere")


async def fall_through_async(**options: Any) -> float:
    started = time.perf_counter()
    async with identity("aio").DefaultAzureCredential(**options) as credential:
        try:
            await credential.get_token(SCOPE)
        except Exception as error:
            return _nothing(error, started)
    raise AssertionError("a token came from somewhere")


def _nothing(error: Exception, started: float) -> float:
    taken = (time.perf_counter() - started) * 1000
    assert "DefaultAzureCredential failed to retrieve a token" in str(error), error
    return taken


async def aio(kind: str) -> tuple[float, float]:
    if kind == "silent":
        await fall_through_async(exclude_managed_identity_credential=True)
    return await fall_through_async(), await fall_through_async()


def sync(kind: str) -> tuple[float, float]:
    if kind == "silent":
        fall_through(exclude_managed_identity_credential=True)
    return fall_through(), fall_through()


def main() -> None:
    if sys.argv[1] == "floor":
        report()
        return
    face, kind = sys.argv[1:3]
    kept = []
    if kind == "silent":
        load_code(face)
        kept = silence()
    first, again = sync(kind) if face == "sync" else asyncio.run(aio(kind))
    for one in kept:
        one.close()
    report(first_ms=first, again_ms=again)


if __name__ == "__main__":
    main()
