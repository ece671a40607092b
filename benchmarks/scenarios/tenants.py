"""One credential, a new tenant with every call: `tenants.py threads|tasks|floor-threads|floor-tasks` with the number of
workers, that of tenants, and `secret` or `certificate`.

Reports tokens per second, and what a token costs this process in CPU time: on a machine with few cores, the server sets
the limit of the first.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

from benchmarks.scenarios.by_hand import FORM, token_request
from benchmarks.scenarios.support import (
    OPTIONS,
    SCOPE,
    by_tasks,
    by_threads,
    control,
    identity,
    load_code,
    report,
    secret_credential,
    server,
)


def credential(face: str) -> Any:
    if "certificate" not in sys.argv:
        return secret_credential(face, additionally_allowed_tenants=["*"])
    who = server()
    return identity(face).CertificateCredential(
        who["tenant"],
        who["client_id"],
        who["certificate"],
        authority=who["authority"],
        additionally_allowed_tenants=["*"],
        **OPTIONS,
    )


async def tasks(workers: int, tenants: list[str]) -> float:
    async with credential("aio") as subject:
        return await by_tasks(workers, tenants, lambda tenant: subject.get_token(SCOPE, tenant_id=tenant))


async def floor_tasks(workers: int, tenants: list[str]) -> float:
    import aiohttp

    async def get(tenant: str) -> None:
        url, body = token_request(tenant)
        async with session.post(url, data=body, headers=FORM) as answer:
            assert (await answer.json())["access_token"]

    async with aiohttp.ClientSession() as session:
        return await by_tasks(workers, tenants, get)


def floor_threads(workers: int, tenants: list[str]) -> float:
    import requests

    local = threading.local()

    def get(tenant: str) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        url, body = token_request(tenant)
        assert local.session.post(url, data=body, headers=FORM).json()["access_token"]

    return by_threads(workers, tenants, get)


def main() -> None:
    kind, workers, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tenants: list[str] = control().ask("tenants", count=count)
    assert len(tenants) == count
    if kind.endswith("threads"):
        load_code("sync")
    else:
        load_code("aio")
    spent = time.process_time()
    if kind == "threads":
        subject = credential("sync")
        taken = by_threads(workers, tenants, lambda tenant: subject.get_token(SCOPE, tenant_id=tenant))
    elif kind == "tasks":
        taken = asyncio.run(tasks(workers, tenants))
    elif kind == "floor-threads":
        taken = floor_threads(workers, tenants)
    else:
        taken = asyncio.run(floor_tasks(workers, tenants))
    counts = control().counts()
    report(
        requests_each=(counts["token"] + counts["discovery"]) / count,
        per_second=count / taken,
        cpu_ms_each=(time.process_time() - spent) / count * 1000,
    )


if __name__ == "__main__":
    main()
