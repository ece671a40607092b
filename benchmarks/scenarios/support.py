"""What the measured programs share: their surroundings, credentials, a scripted transport, timing."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any, Awaitable, Callable, Sequence, TypeVar
from urllib.parse import parse_qs, urlsplit

T = TypeVar("T")

SCOPE = "https://vault.azure.net/.default"
OPTIONS: dict[str, Any] = {"disable_instance_discovery": True}
"""Both sides get it. The published package would otherwise ask Microsoft's servers about the emulator."""


def server() -> dict[str, str]:
    """Where the server is and whom it knows: `authority` (and `fast_authority`, which answers at once), `tenant`,
    `client_id`, `secret`, `certificate` (a path)."""
    known: dict[str, str] = json.loads(os.environ["BENCHMARK_SERVER"])
    return known


def control() -> Any:
    """The server's control port."""
    from benchmarks.control import Control

    return Control(int(server()["control"]))


def report(**measured: float) -> None:
    """Hand the measurements to the runner."""
    print(json.dumps(measured))


def secret_credential(face: str, **options: Any) -> Any:
    """A `ClientSecretCredential` for the server's application."""
    who = server()
    arguments = (who["tenant"], who["client_id"], who["secret"])
    return identity(face).ClientSecretCredential(*arguments, authority=who["authority"], **OPTIONS, **options)


def identity(face: str) -> Any:
    """`azure.identity` or `azure.identity.aio`."""
    if face == "aio":
        import azure.identity.aio

        return azure.identity.aio
    import azure.identity

    return azure.identity


# --- a transport that answers by itself ---------------------------------------------------------------------------


def scripted_transport(face: str) -> Any:
    """An azure-core transport that answers every token request at once, without a network.

    With it, what is measured is the client's own work.
    """
    from azure.core.pipeline.transport import AsyncHttpTransport, HttpTransport
    from azure.core.rest._http_response_impl import HttpResponseImpl
    from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl

    def answer(kind: Any, request: Any) -> Any:
        body = _metadata(request.url) if "openid-configuration" in request.url else _token(request.url)
        response = kind(
            request=request,
            internal_response=None,
            status_code=200,
            reason="OK",
            content_type="application/json",
            headers={"Content-Type": "application/json; charset=utf-8"},
            stream_download_generator=None,
        )
        response._content = body
        response._is_closed = response._is_stream_consumed = True
        return response

    class Blocking(HttpTransport):  # type: ignore[type-arg]
        def open(self) -> None: ...
        def close(self) -> None: ...
        def __exit__(self, *args: object) -> None: ...

        def send(self, request: Any, **kwargs: Any) -> Any:
            return answer(HttpResponseImpl, request)

    class Suspending(AsyncHttpTransport):  # type: ignore[type-arg]
        async def open(self) -> None: ...
        async def close(self) -> None: ...
        async def __aexit__(self, *args: object) -> None: ...

        async def send(self, request: Any, **kwargs: Any) -> Any:
            return answer(AsyncHttpResponseImpl, request)

    return Suspending() if face == "aio" else Blocking()


MANAGED_HOST = {"IDENTITY_ENDPOINT": "http://127.0.0.1:9/msi/token", "IDENTITY_HEADER": "a-secret"}
"""Variables that make a program believe it runs on App Service; the scripted transport answers for it."""

_numbers = iter(range(1 << 60))


def _token(url: str) -> bytes:
    # As long as a real one, and never the same twice.
    answer: dict[str, Any] = {"token_type": "Bearer", "access_token": f"{next(_numbers):012d}.".ljust(1200, "x")}
    if url.startswith(MANAGED_HOST["IDENTITY_ENDPOINT"]):
        # App Service sends no other time.
        resource = parse_qs(urlsplit(url).query)["resource"][0]
        answer.update(expires_on=str(int(time.time()) + 86399), resource=resource)
    else:
        answer["expires_in"] = answer["ext_expires_in"] = 86399
    return json.dumps(answer).encode()


def _metadata(url: str) -> bytes:
    base = url.partition("/v2.0")[0]
    return json.dumps(
        {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }
    ).encode()


def load_code(face: str) -> None:
    """Load and run once, without a network, all code that a first token needs.

    Scenarios about networks and threads measure neither imports nor trust stores of other credentials, only their own.
    """
    import aiohttp  # noqa: F401
    import requests  # noqa: F401
    from azure.core.pipeline import transport

    _ = (transport.RequestsTransport, transport.AioHttpTransport)
    credential = secret_credential(face, transport=scripted_transport(face))
    token = credential.get_token(SCOPE)
    if face == "aio":
        asyncio.run(token)


# --- timing -------------------------------------------------------------------------------------------------------


def per_call(function: Callable[[], Any], *, batch_seconds: float = 0.05, batches: int = 7) -> float:
    """CPU microseconds of one call: the median of some batches, the collector off."""
    count = _batch(lambda n: _timed(function, n), batch_seconds)
    return _without_collector(lambda: statistics.median(_timed(function, count) / count for _ in range(batches)) * 1e6)


def _timed(function: Callable[[], Any], count: int) -> float:
    repeat = range(count)
    started = time.process_time()
    for _ in repeat:
        function()
    return time.process_time() - started


async def per_await(function: Callable[[], Awaitable[Any]], *, batch_seconds: float = 0.05, batches: int = 7) -> float:
    """The same for a coroutine function."""

    async def timed(count: int) -> float:
        repeat = range(count)
        started = time.process_time()
        for _ in repeat:
            await function()
        return time.process_time() - started

    count = 1
    while (await timed(count)) < batch_seconds / 4 and count < 1 << 20:
        count *= 4
    gc.disable()
    try:
        return statistics.median([await timed(count) / count for _ in range(batches)]) * 1e6
    finally:
        gc.enable()


def _batch(timed: Callable[[int], float], seconds: float) -> int:
    count = 1
    while timed(count) < seconds / 4 and count < 1 << 20:
        count *= 4
    return count


def _without_collector(measure: Callable[[], float]) -> float:
    gc.disable()
    try:
        return measure()
    finally:
        gc.enable()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 100 * len(ordered)) // 100) - 1))]


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    return {"p50_ms": percentile(seconds, 0.5) * 1000, "p99_ms": percentile(seconds, 0.99) * 1000}


def by_threads(workers: int, items: Sequence[T], do: Callable[[T], Any]) -> float:
    """Seconds that `workers` threads take for all items, each taking the next as soon as it is done with one."""
    left: SimpleQueue[T] = SimpleQueue()
    for item in items:
        left.put(item)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while not failures:
                do(left.get_nowait())
        except Empty:
            pass
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    if failures:
        raise failures[0]
    if not left.empty():
        raise TimeoutError("the threads did not end")
    return time.perf_counter() - started


async def by_tasks(workers: int, items: Sequence[T], do: Callable[[T], Awaitable[Any]]) -> float:
    """The same for tasks."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await do(item)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return time.perf_counter() - started


def at_once(count: int, function: Callable[[], Any]) -> list[float]:
    """How long `function` takes in each of `count` threads that start it together, seconds."""
    together = threading.Barrier(count)
    taken: list[float] = []
    failures: list[BaseException] = []

    def run() -> None:
        together.wait(60)
        started = time.perf_counter()
        try:
            function()
        except BaseException as error:
            failures.append(error)
        taken.append(time.perf_counter() - started)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    if failures:
        raise failures[0]
    if len(taken) != count:
        raise TimeoutError(f"{count - len(taken)} of {count} threads did not end")
    return taken
