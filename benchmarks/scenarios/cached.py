"""Tokens out of the cache, and the client's share of a new one: `cached.py sync|aio|floor-sync|floor-aio KIND ENTRIES`.

KIND is `secret`, `default`, `provider` or `managed`. The cache is filled through a scripted transport. `hit_us`: a
look-up that finds its token. `miss_ms`: a token for a new scope while the others are there.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from typing import Any

from benchmarks.scenarios.by_hand import DictionaryCredential, azure_core_pipeline, azure_core_request, scopes
from benchmarks.scenarios.support import (
    MANAGED_HOST,
    OPTIONS,
    identity,
    per_await,
    per_call,
    report,
    scripted_transport,
    secret_credential,
    server,
)

MISSES = 15


def credential(face: str, kind: str) -> Any:
    transport = scripted_transport(face)
    if kind == "managed":
        os.environ.update(MANAGED_HOST)
        return identity(face).ManagedIdentityCredential(transport=transport)
    if kind != "default":
        return secret_credential(face, transport=transport)
    who = server()
    os.environ.update(
        AZURE_TENANT_ID=who["tenant"], AZURE_CLIENT_ID=who["client_id"], AZURE_CLIENT_SECRET=who["secret"]
    )
    return identity(face).DefaultAzureCredential(authority=who["authority"], transport=transport, **OPTIONS)


def sync(kind: str, entries: int) -> None:
    subject = credential("sync", kind)
    wanted = scopes(entries)
    for scope in wanted:
        subject.get_token(scope)
    scope = wanted[entries // 2]
    if kind == "provider":
        provider = identity("sync").get_bearer_token_provider(subject, scope)
        assert provider() == subject.get_token(scope).token
        report(hit_us=per_call(provider))
        return
    hit = per_call(lambda: subject.get_token(scope))
    misses = []
    for i in range(MISSES):
        started = time.process_time()
        subject.get_token(f"api://new-{i}/.default")
        misses.append(time.process_time() - started)
    report(hit_us=hit, miss_ms=statistics.median(misses) * 1000)


async def aio(kind: str, entries: int) -> None:
    subject = credential("aio", kind)
    wanted = scopes(entries)
    for scope in wanted:
        await subject.get_token(scope)
    scope = wanted[entries // 2]
    if kind == "provider":
        provider = identity("aio").get_bearer_token_provider(subject, scope)
        assert await provider() == (await subject.get_token(scope)).token
        report(hit_us=await per_await(provider))
        return
    hit = await per_await(lambda: subject.get_token(scope))
    misses = []
    for i in range(MISSES):
        started = time.process_time()
        await subject.get_token(f"api://new-{i}/.default")
        misses.append(time.process_time() - started)
    report(hit_us=hit, miss_ms=statistics.median(misses) * 1000)
    await subject.close()


def floor(entries: int) -> None:
    subject = DictionaryCredential(entries)
    scope = scopes(entries)[entries // 2]
    pipeline = azure_core_pipeline(scripted_transport("sync"))
    misses = []
    for _ in range(MISSES):
        started = time.process_time()
        assert pipeline.run(azure_core_request()).http_response.content
        misses.append(time.process_time() - started)
    report(hit_us=per_call(lambda: subject.get_token(scope)), miss_ms=statistics.median(misses) * 1000)


async def floor_async(entries: int) -> None:
    subject = DictionaryCredential(entries)
    scope = scopes(entries)[entries // 2]
    report(hit_us=await per_await(lambda: subject.get_token_async(scope)))


def main() -> None:
    face, kind, entries = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if face == "sync":
        sync(kind, entries)
    elif face == "aio":
        asyncio.run(aio(kind, entries))
    elif face == "floor-sync":
        floor(entries)
    else:
        asyncio.run(floor_async(entries))


if __name__ == "__main__":
    main()
