"""Many managed-identity credentials in one program, as libraries and plug-ins make them: `managed.py sync|aio COUNT`.

All ask the same host for the same resource.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from benchmarks.scenarios.support import SCOPE, control, identity, load_code, report


def sync(count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        with identity("sync").ManagedIdentityCredential() as credential:
            assert credential.get_token(SCOPE).token
    return time.perf_counter() - started


async def aio(count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        async with identity("aio").ManagedIdentityCredential() as credential:
            assert (await credential.get_token(SCOPE)).token
    return time.perf_counter() - started


def main() -> None:
    face, count = sys.argv[1], int(sys.argv[2])
    load_code(face)
    os.environ.update(control().ask("host", kind="app-service"))
    taken = sync(count) if face == "sync" else asyncio.run(aio(count))
    report(each_us=taken / count * 1e6)


if __name__ == "__main__":
    main()
