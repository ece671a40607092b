"""The two worlds, sync and async, behind one face: so that a test is written once and holds for both."""

from __future__ import annotations

import asyncio
import re
import types
from typing import Any, Callable, Coroutine, Optional, TypeVar

import azure.identity
import azure.identity.aio
from azure.identity._outside.blocking import BlockingIO
from azure.identity._outside.flights import FlightTable
from azure.identity._outside.port import run_blocking
from azure.identity._outside.suspending import AsyncIO

T = TypeVar("T")


class World:
    """One of the worlds. It closes at the end whatever it made."""

    name: str
    package: types.ModuleType

    def __init__(self) -> None:
        self._made: list[Any] = []

    def make(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A credential of this world, by its public name."""
        credential = getattr(self.package, name)(*args, **kwargs)
        self._made.append(credential)
        return credential

    def port(self, **options: Any) -> Any:
        """An I/O port whose pipeline has these options."""
        raise NotImplementedError

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that awaits this world's port only."""
        raise NotImplementedError

    def ask(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a public method, which is a coroutine function in one world and an ordinary one in the other."""
        raise NotImplementedError

    def within(self, credential: Any, body: Optional[Callable[[], Any]] = None) -> Any:
        """`with credential:` (or `async with`), and `body` called inside."""
        raise NotImplementedError

    def transport(self, **options: Any) -> Any:
        """The transport azure-core offers in this world."""
        raise NotImplementedError

    def session(self) -> Any:
        """A session of the HTTP library behind it."""
        raise NotImplementedError

    def end(self) -> None:
        """Close what was made."""
        for credential in self._made:
            self.ask(credential.close)


class Sync(World):
    name = "sync"
    package = azure.identity

    def port(self, **options: Any) -> BlockingIO:
        port = BlockingIO(options, FlightTable())
        self._made.append(_Closer(port, lambda: run_blocking(port.close())))
        return port

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return run_blocking(coroutine)

    def ask(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    def within(self, credential: Any, body: Optional[Callable[[], Any]] = None) -> Any:
        with credential as entered:
            assert entered is credential
            return body() if body is not None else None

    def transport(self, **options: Any) -> Any:
        from azure.core.pipeline.transport import RequestsTransport

        return RequestsTransport(**options)

    def session(self) -> Any:
        import requests

        return requests.Session()


class Async(World):
    name = "async"
    package = azure.identity.aio

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def port(self, **options: Any) -> AsyncIO:
        port = AsyncIO(options, FlightTable())
        self._made.append(_Closer(port, port.close))
        return port

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    def ask(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        async def call() -> Any:
            return await method(*args, **kwargs)

        return self.run(call())

    def within(self, credential: Any, body: Optional[Callable[[], Any]] = None) -> Any:
        async def call() -> Any:
            async with credential as entered:
                assert entered is credential
                result = body() if body is not None else None
                return await result if hasattr(result, "__await__") else result

        return self.run(call())

    def transport(self, **options: Any) -> Any:
        from azure.core.pipeline.transport import AioHttpTransport

        return AioHttpTransport(**options)

    def session(self) -> Any:
        import aiohttp

        async def make() -> Any:
            return aiohttp.ClientSession(auto_decompress=False)

        return self.run(make())

    def end(self) -> None:
        super().end()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        # aiohttp closes connections in callbacks.
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


class _Closer:
    def __init__(self, port: Any, close: Callable[[], Any]) -> None:
        self._port, self.close = port, close


WORLDS: tuple[type[World], ...] = (Sync, Async)

_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIMES = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ|\b\d+ ms\b")


def without_ids(text: str) -> str:
    """A message without what differs between two equal requests: ids, times."""
    return _TIMES.sub("TIME", _IDS.sub("ID", text))
