"""The port of the `aio` credentials: its methods wait for the event loop. See `port`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Hashable, Mapping, Optional, TypeVar

from .._values.messages import Closed
from .flights import Flight, TaskWaker
from .port import Port, read_file

if TYPE_CHECKING:
    from .._values.messages import Command, Completed, Request, Response
    from .redirects import RedirectListener

T = TypeVar("T")


class AsyncIO(Port):
    """The port of the `aio` credentials. One port serves any number of event loops, one after another or at a time."""

    _pipes: Any = None

    async def send(self, request: Request) -> Response:
        import asyncio

        from .http import suspending_pool

        if self.closed:
            raise Closed
        if self._pipes is None:
            self._pipes = suspending_pool.PipesByLoop()
        if request.direct or request.tls is not None:
            return await self._send_routed(request)
        pipe = self._pipes.get()
        if pipe is None or pipe.forked():
            await self._pipes.release_ended(self)
            pipe = suspending_pool.async_pipe(self._options, owner=self, loop=asyncio.get_running_loop())
            self._pipes.set(pipe)
        return await pipe.send(request)  # type: ignore[no-any-return]

    async def _send_routed(self, request: Request) -> Response:
        """Send a request that has rules of its own."""
        import asyncio

        from .http import routes, suspending_pool

        route = routes.route_of(request)
        pipes = self._pipes.routed()
        pipe, useless = pipes.get(route), []
        if pipe is None:
            await self._pipes.release_ended(self)
            pipe = suspending_pool.async_pipe(self._options, self, asyncio.get_running_loop(), route)
            useless = pipes.put(route, pipe)
        try:
            return await pipe.send(request)  # type: ignore[no-any-return]
        finally:
            for old in useless:
                await old.supersede(self)

    async def run(self, command: Command) -> Completed:
        from .processes import Process

        return await Process(command).run_in_thread()

    async def read(self, path: str, limit: int = 1_000_000, *, follow_links: bool = True) -> bytes:
        import asyncio

        # Files here may be on network or projected volumes: a thread keeps the event loop going meanwhile.
        return await asyncio.get_running_loop().run_in_executor(None, read_file, path, limit, follow_links)

    async def receive(self, listener: RedirectListener, timeout: float) -> Optional[Mapping[str, str]]:
        from functools import partial

        from .processes import in_thread

        return await in_thread(partial(listener.receive, timeout), listener.close)

    async def open_browser(self, url: str) -> bool:
        import asyncio

        from .redirects import open_browser

        return await asyncio.get_running_loop().run_in_executor(None, open_browser, url)

    async def sleep(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)

    async def work(self, function: Callable[..., T], *args: Any) -> T:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(None, function, *args)

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return await result if hasattr(result, "__await__") else result

    def single_flight(self, key: Hashable) -> Flight:
        import asyncio

        return Flight(self._flights, key, TaskWaker(asyncio.get_running_loop()))

    async def enter(self, resource: Any) -> None:
        if hasattr(resource, "__aenter__"):
            await resource.__aenter__()

    async def leave(self, resource: Any, *exc: Any) -> None:
        if hasattr(resource, "__aexit__"):
            await resource.__aexit__(*exc)
        elif hasattr(resource, "close"):
            await self.call(resource.close)

    async def open(self) -> None:
        if self.closed:
            raise Closed
        self._opened = True
        if self._options.get("transport") is not None:
            await self.enter(self._options["transport"])

    async def close(self, *exc: Any) -> None:
        if self.closed:
            return
        self.closed = self._opened
        if self._options.get("transport") is not None:
            self.closed = True
            await self.leave(self._options["transport"], *exc)
        if self._pipes is not None:
            self.closed = True
            pipes, self._pipes = self._pipes, None
            await pipes.release(self)
