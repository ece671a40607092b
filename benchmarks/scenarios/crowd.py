"""Many callers at once: `crowd.py threads|tasks|renewal COUNT` and `crowd.py floor-threads|floor-tasks COUNT`.

`threads`, `tasks`: nobody has a token yet. `renewal`: all have one that is past its refresh time and still valid. The
code is loaded; the credential is new, with everything that belongs to it (connections, trust store, metadata).
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

REAL_TIME = time.time
_offset = 0.0


def later() -> float:
    return REAL_TIME() + _offset


# Before anything else is imported, so that both libraries read this clock.
time.time = later

from benchmarks.scenarios.by_hand import FORM, token_request  # noqa: E402
from benchmarks.scenarios.support import (  # noqa: E402
    SCOPE,
    at_once,
    control,
    latencies,
    load_code,
    report,
    secret_credential,
)

PAST_REFRESH = 4000
"""Seconds. Tokens of this scenario live 7,200 seconds and are due for renewal after 3,600."""


def threads(count: int) -> None:
    load_code("sync")
    credential = secret_credential("sync")
    taken = at_once(count, lambda: credential.get_token(SCOPE))
    report(**latencies(taken))


def renewal(count: int) -> None:
    global _offset
    load_code("sync")
    credential = secret_credential("sync")
    old = credential.get_token(SCOPE)
    _offset = PAST_REFRESH
    assert old.expires_on > later() + 600
    control().ask("clear")
    taken = at_once(count, lambda: credential.get_token(SCOPE))
    assert credential.get_token(SCOPE).token != old.token
    report(**latencies(taken))


async def tasks(count: int) -> None:
    async def one(credential: Any) -> float:
        started = time.perf_counter()
        await credential.get_token(SCOPE)
        return time.perf_counter() - started

    async with secret_credential("aio") as credential:
        taken = await asyncio.gather(*(one(credential) for _ in range(count)))
    report(**latencies(taken))


def floor_threads(count: int) -> None:
    import requests

    url, body = token_request()
    lock = threading.Lock()
    kept: list[str] = []

    def get() -> None:
        with lock:
            if not kept:
                with requests.Session() as session:
                    kept.append(session.post(url, data=body, headers=FORM).json()["access_token"])

    report(**latencies(at_once(count, get)))


async def floor_tasks(count: int) -> None:
    import aiohttp

    url, body = token_request()

    async def get() -> str:
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=FORM) as answer:
            return str((await answer.json())["access_token"])

    flight = asyncio.ensure_future(get())

    async def one() -> float:
        started = time.perf_counter()
        await flight
        return time.perf_counter() - started

    report(**latencies(await asyncio.gather(*(one() for _ in range(count)))))


def main() -> None:
    kind, count = sys.argv[1], int(sys.argv[2])
    if kind == "tasks":
        load_code("aio")
        asyncio.run(tasks(count))
    elif kind == "floor-tasks":
        asyncio.run(floor_tasks(count))
    else:
        {"threads": threads, "renewal": renewal, "floor-threads": floor_threads}[kind](count)


if __name__ == "__main__":
    main()
