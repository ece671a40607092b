"""The port of the sync credentials: its methods are `async def`s that block the calling thread. See `port`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Hashable, Mapping, Optional, TypeVar

from .._values.messages import Closed
from .flights import Flight, ThreadWaker
from .port import Port, read_file

if TYPE_CHECKING:
    from .._values.messages import Command, Completed, Request, Response
    from .redirects import RedirectListener

T = TypeVar("T")


class BlockingIO(Port):
    """The port of the sync credentials."""

    _pipe: Any = None
    _routed: Any = None

    async def send(self, request: Request) -> Response:
        from .http import blocking_pool

        if self.closed:
            raise Closed
        if request.direct or request.tls is not None:
            return self._send_routed(request)
        if self._pipe is None or self._pipe.forked():
            self._pipe = blocking_pool.blocking_pipe(self._options, owner=self)
        return self._pipe.send(request)  # type: ignore[no-any-return]

    def _send_routed(self, request: Request) -> Response:
        """Send a request that has rules of its own."""
        from .http import blocking_pool, routes

        route = routes.route_of(request)
        pipes = self._routed
        if pipes is None:
            # Two threads may get here at once: setdefault is atomic, so both go on with the same.
            pipes = self.__dict__.setdefault("_routed", blocking_pool.RoutedPipes())
        pipe, useless = pipes.get(route), []
        if pipe is None:
            pipe = blocking_pool.blocking_pipe(self._options, owner=self, route=route)
            useless = pipes.put(route, pipe)
        try:
            return pipe.send(request)  # type: ignore[no-any-return]
        finally:
            for old in useless:
                old.release(self)

    async def run(self, command: Command) -> Completed:
        from .processes import Process

        return Process(command).run()

    async def read(self, path: str, limit: int = 1_000_000, *, follow_links: bool = True) -> bytes:
        return read_file(path, limit, follow_links)

    async def receive(self, listener: RedirectListener, timeout: float) -> Optional[Mapping[str, str]]:
        return listener.receive(timeout)

    async def open_browser(self, url: str) -> bool:
        from .redirects import open_browser

        return open_browser(url)

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - rule 3: this port blocks

    async def work(self, function: Callable[..., T], *args: Any) -> T:
        return function(*args)

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if hasattr(result, "__await__"):
            if hasattr(result, "close"):
                result.close()
            raise TypeError(
                f"{getattr(function, '__qualname__', function)!s} is asynchronous, and a credential of azure.identity "
                "cannot await it. Give it to the credential of the same name in azure.identity.aio."
            )
        return result

    def single_flight(self, key: Hashable) -> Flight:
        return Flight(self._flights, key, ThreadWaker())

    async def enter(self, resource: Any) -> None:
        if hasattr(resource, "__enter__"):
            resource.__enter__()

    async def leave(self, resource: Any, *exc: Any) -> None:
        if hasattr(resource, "__exit__"):
            resource.__exit__(*exc)
        elif hasattr(resource, "close"):
            resource.close()

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
        pipes = [] if self._routed is None else list(self._routed)
        if self._options.get("transport") is not None:
            self.closed = True
            await self.leave(self._options["transport"], *exc)
        elif self._pipe is not None:
            pipes.append(self._pipe)
        if pipes:
            self.closed = True
            self._pipe = self._routed = None
            for pipe in pipes:
                pipe.release(self)
