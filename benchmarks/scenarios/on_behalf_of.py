"""A web API that calls another on behalf of its users: one credential per user.

`on_behalf_of.py threads|tasks|floor-threads|floor-tasks WORKERS USERS secret|certificate`: tokens per second. Every
credential is closed as soon as it has its token, as after a request to the web API.

`on_behalf_of.py kept-sync|kept-aio|resident-sync|resident-aio 1 USERS secret`: what a user costs in memory. `kept`:
Python's allocations, while the credentials are alive and when they are closed and gone. `resident`: growth of the
process while they are alive, which includes what OpenSSL allocates.

The server is the one that answers at once, so that the client is the limit.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any, Callable

from benchmarks.fast_answers import ASSERTION
from benchmarks.scenarios.by_hand import FORM, on_behalf_of_request
from benchmarks.scenarios.support import (
    OPTIONS,
    SCOPE,
    by_tasks,
    by_threads,
    control,
    identity,
    load_code,
    report,
    scripted_transport,
    server,
)

Make = Callable[..., Any]


def credentials(face: str, proof: str) -> Make:
    """Makes a user's credential from the user's token."""
    who, kind = server(), identity(face).OnBehalfOfCredential
    if proof == "certificate":
        given: dict[str, Any] = {"client_certificate": Path(who["certificate"]).read_bytes()}
    else:
        given = {"client_secret": who["secret"]}

    def make(assertion: str, **options: Any) -> Any:
        where = {"authority": who["fast_authority"], **OPTIONS, **options}
        return kind(who["tenant"], who["client_id"], user_assertion=assertion, **given, **where)

    return make


def assertions(count: int) -> list[str]:
    """The tokens of as many users."""
    return [f"{i:012d}.".ljust(ASSERTION, "u") for i in range(count)]


# --- throughput ---------------------------------------------------------------------------------------------------


def threads(make: Make, workers: int, users: list[str]) -> float:
    def serve(assertion: str) -> None:
        with make(assertion) as credential:
            assert credential.get_token(SCOPE).token

    return by_threads(workers, users, serve)


async def tasks(make: Make, workers: int, users: list[str]) -> float:
    async def serve(assertion: str) -> None:
        async with make(assertion) as credential:
            assert (await credential.get_token(SCOPE)).token

    return await by_tasks(workers, users, serve)


def floor_threads(workers: int, users: list[str]) -> float:
    import requests

    local = threading.local()

    def serve(assertion: str) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        url, body = on_behalf_of_request(assertion)
        assert local.session.post(url, data=body, headers=FORM).json()["access_token"]

    return by_threads(workers, users, serve)


async def floor_tasks(workers: int, users: list[str]) -> float:
    import aiohttp

    async def serve(assertion: str) -> None:
        url, body = on_behalf_of_request(assertion)
        async with session.post(url, data=body, headers=FORM) as answer:
            assert (await answer.json())["access_token"]

    async with aiohttp.ClientSession() as session:
        return await by_tasks(workers, users, serve)


def throughput(kind: str, workers: int, users: list[str], proof: str) -> None:
    face = "sync" if kind.endswith("threads") else "aio"
    load_code(face)
    make = credentials(face, proof)
    warm_up(face, make)
    spent = time.process_time()
    if kind == "threads":
        taken = threads(make, workers, users)
    elif kind == "tasks":
        taken = asyncio.run(tasks(make, workers, users))
    elif kind == "floor-threads":
        taken = floor_threads(workers, users)
    else:
        taken = asyncio.run(floor_tasks(workers, users))
    spent = time.process_time() - spent
    counts = control().counts()
    assert counts["token"] == len(users)
    report(
        per_second=len(users) / taken,
        cpu_ms_each=spent / len(users) * 1000,
        requests_each=(counts["token"] + counts["discovery"]) / len(users),
        connections_each=counts["connections"] / len(users),
    )


def warm_up(face: str, make: Make) -> None:
    """Load, and run once without a network, what this kind of credential needs besides."""
    credential = make("nobody's token", transport=scripted_transport(face))
    token = credential.get_token(SCOPE)
    if face == "aio":
        asyncio.run(token)


# --- memory -------------------------------------------------------------------------------------------------------


def memory(kind: str, users: list[str], proof: str) -> None:
    measure, _, face = kind.partition("-")
    load_code(face)
    make = credentials(face, proof)
    warm_up(face, make)
    first, *others = users
    if face == "sync":
        with make(first) as shared:
            shared.get_token(SCOPE)
            report(**_kept(make, others) if measure == "kept" else _resident(make, others))
    else:
        report(**asyncio.run(_memory_async(measure, make, first, others)))


def _kept(make: Make, users: list[str]) -> dict[str, float]:
    before = _traced()
    alive = []
    for assertion in users:
        credential = make(assertion)
        credential.__enter__()
        credential.get_token(SCOPE)
        alive.append(credential)
    during = _traced()
    for credential in alive:
        credential.close()
    del alive, credential
    return _per_user(users, before, during, _traced())


def _resident(make: Make, users: list[str]) -> dict[str, float]:
    before = _resident_bytes()
    alive = []
    for assertion in users:
        credential = make(assertion)
        credential.__enter__()
        credential.get_token(SCOPE)
        alive.append(credential)
    grown = _resident_bytes() - before
    for credential in alive:
        credential.close()
    return {"resident_kb": grown / len(users) / 1000}


async def _memory_async(measure: str, make: Make, first: str, users: list[str]) -> dict[str, float]:
    async with make(first) as shared:
        await shared.get_token(SCOPE)
        before = _traced() if measure == "kept" else _resident_bytes()
        alive = []
        for assertion in users:
            credential = make(assertion)
            await credential.__aenter__()
            await credential.get_token(SCOPE)
            alive.append(credential)
        during = _traced() if measure == "kept" else _resident_bytes()
        for credential in alive:
            await credential.close()
        if measure == "resident":
            return {"resident_kb": (during - before) / len(users) / 1000}
        del alive, credential
        await asyncio.sleep(0.1)  # for transports that close a little later
        return _per_user(users, before, during, _traced())


def _traced() -> int:
    """Bytes Python has allocated since the first call."""
    gc.collect()
    if not tracemalloc.is_tracing():
        tracemalloc.start()
    return tracemalloc.get_traced_memory()[0]


def _per_user(users: list[str], before: int, during: int, after: int) -> dict[str, float]:
    return {"kept_kb": (during - before) / len(users) / 1000, "closed_kb": (after - before) / len(users) / 1000}


def _resident_bytes() -> int:
    """Memory of this process: now where the system says, else at most so far."""
    gc.collect()
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes


def main() -> None:
    kind, workers, users, proof = sys.argv[1], int(sys.argv[2]), assertions(int(sys.argv[3])), sys.argv[4]
    if kind.endswith(("threads", "tasks")):
        throughput(kind, workers, users, proof)
    else:
        memory(kind, users, proof)


if __name__ == "__main__":
    main()
