"""Tokens from a developer tool that takes 300 ms: `tool.py in-turn|threads|tasks COUNT`.

The tool is a script called `az` on PATH, which writes down each of its starts. `in-turn`: the same token again and
again. `threads`, `tasks`: that many callers at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.scenarios.support import SCOPE, at_once, identity, latencies, report

SCRIPT = """#!/bin/sh
echo start >>"{starts}"
sleep 0.3
printf '%s' '{{"accessToken": "{token}", "expires_on": {expires_on}, "expiresOn": "{date}", "tokenType": "Bearer"}}'
"""


def install(folder: Path) -> Path:
    """Put the tool on PATH. Returns the file that gets a line with each start."""
    starts, tool = folder / "starts", folder / "az"
    starts.touch()
    expires_on = int(time.time()) + 3600
    date = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.localtime(expires_on))
    tool.write_text(SCRIPT.format(starts=starts, token="x" * 1200, expires_on=expires_on, date=date))
    tool.chmod(0o755)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return starts


def in_turn(count: int) -> dict[str, float]:
    credential = identity("sync").AzureCliCredential()
    started = time.perf_counter()
    for _ in range(count):
        assert credential.get_token(SCOPE).token
    return {"total_ms": (time.perf_counter() - started) * 1000}


def threads(count: int) -> dict[str, float]:
    credential = identity("sync").AzureCliCredential()
    return latencies(at_once(count, lambda: credential.get_token(SCOPE)))


async def tasks(count: int) -> dict[str, float]:
    async def one() -> float:
        started = time.perf_counter()
        assert (await credential.get_token(SCOPE)).token
        return time.perf_counter() - started

    async with identity("aio").AzureCliCredential() as credential:
        return latencies(await asyncio.gather(*(one() for _ in range(count))))


def main() -> None:
    kind, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        starts = install(Path(folder))
        if kind == "tasks":
            measured = asyncio.run(tasks(count))
        else:
            measured = {"in-turn": in_turn, "threads": threads}[kind](count)
        report(starts=len(starts.read_text().splitlines()), **measured)


if __name__ == "__main__":
    main()
