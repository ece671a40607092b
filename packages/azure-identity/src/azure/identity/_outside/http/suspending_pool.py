"""Pipes of the `aio` credentials, over aiohttp, for one event loop each. See `pipes`."""

from __future__ import annotations

import os
import weakref
import zlib
from typing import TYPE_CHECKING, Any, Mapping, Optional

from azure.core.exceptions import AzureError

from ..._values.messages import Response
from .no_answer import body, certificate_refused, lowered, unreachable
from .pipes import Pipe, RoutedPipes, lock, routed, routed_arguments, transport_settings
from .policies import AsyncBoundedRetryPolicy, build_policies, build_request, run_options
from .proxies import asks_environment, with_environment_proxies
from .routes import Route, refuse_plain, routed_policies
from .trust import connector_trust

if TYPE_CHECKING:
    import asyncio

    from ..._values.messages import Request

_async_pipes: weakref.WeakKeyDictionary[Any, dict[Any, AsyncPipe]] = weakref.WeakKeyDictionary()


def _after_fork() -> None:
    global _async_pipes
    _async_pipes = weakref.WeakKeyDictionary()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class AsyncPipe(Pipe):
    """A pipe of the `aio` credentials, for one event loop."""

    def __init__(
        self, options: Mapping[str, Any], key: Any, loop: asyncio.AbstractEventLoop, route: Optional[Route] = None
    ) -> None:
        from azure.core.pipeline import AsyncPipeline

        super().__init__(key)
        self.loop = loop
        self._running = 0
        self._superseded = False
        self.policies = build_policies(options, AsyncBoundedRetryPolicy)
        if route is not None:
            self.policies = routed_policies(self.policies, route)
        self._session: Any = None
        transport = options.get("transport")
        self._borrowed = transport is not None
        if transport is None:
            transport = self._make_transport(options, route)
        self._pipeline: Any = AsyncPipeline(transport, self.policies)

    def _make_transport(self, options: Mapping[str, Any], route: Optional[Route]) -> Any:
        try:
            import aiohttp
            from azure.core.pipeline.transport import AioHttpTransport
        except ImportError as error:
            raise ImportError(
                "aiohttp package is not installed. The credentials of azure.identity.aio send their requests with it: "
                "run 'pip install azure-identity[aio]', or give the credential a transport of your own (transport=...)."
            ) from error

        settings = transport_settings(options)
        if options.get("session") is not None:
            transport = AioHttpTransport if route is None else _async_routed_transport(AioHttpTransport, route)
            return transport(session=options["session"], session_owner=options.get("session_owner", True), **settings)
        transport = _async_proxy_transport() if asks_environment(options, route) else AioHttpTransport
        if route is not None:
            transport = _async_routed_transport(transport, route)
        settings.pop("connection_cert", None)
        settings["connection_verify"] = True  # the connector's own context decides
        connector = aiohttp.TCPConnector(**connector_trust(options, route))
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        return transport(session=self._session, session_owner=False, **settings)

    async def send(self, request: Request) -> Response:
        import asyncio

        errors: tuple[type[Exception], ...] = (AzureError, OSError, asyncio.TimeoutError, zlib.error)
        if self._session is not None:
            import aiohttp

            errors += (aiohttp.ClientError,)
        self._running += 1
        try:
            answer = await self._pipeline.run(build_request(request), **run_options(request, self.policies))
            raw = answer.http_response
            return Response(raw.status_code, lowered(raw.headers), body(raw), raw)
        except errors as error:
            raise unreachable(request.url, error) from error
        finally:
            self._running -= 1
            if self._superseded and not self._running:
                await self._close()

    async def supersede(self, owner: Any) -> None:
        """The same as `release`, but requests that are under way still get their answers."""
        if not self._running:
            await self.release(owner)
        elif self._retire(id(owner)):
            self._superseded = True

    async def release(self, owner: Any) -> None:
        """The owner needs the pipe no longer."""
        import asyncio

        if not self._retire(id(owner)):
            return
        if self.loop is asyncio.get_running_loop():
            await self._close()
        elif self.loop.is_running():
            asyncio.run_coroutine_threadsafe(self._close(), self.loop)
        elif self._session is not None:
            # Its loop has ended, and with it the connections; what is left is to say that nobody forgot to close.
            connector = self._session.connector
            self._session.detach()
            if connector is not None and self.loop.is_closed():
                await connector.close()

    def _retire(self, owner_id: int) -> bool:
        with lock():
            last = self.drop(owner_id)
            pipes = _async_pipes.get(self.loop)
            if last and pipes is not None and pipes.get(self.key) is self:
                del pipes[self.key]
        return last

    def _abandoned(self, owner_id: int) -> None:
        # Nothing can be awaited here. The connections close when the session is collected, and aiohttp then warns,
        # rightly, that somebody did not close a credential.
        with lock():
            self._owners.pop(owner_id, None)
            pipes = _async_pipes.get(self.loop)
            if not self._owners and pipes is not None and pipes.get(self.key) is self:
                del pipes[self.key]

    async def _close(self) -> None:
        if self._session is not None:
            await self._session.close()
        elif not self._borrowed:
            await self._pipeline._transport.close()


class PipesByLoop:
    """The pipes of one port, by event loop. Loops run in any thread, so whatever changes or walks the tables holds the
    lock."""

    def __init__(self) -> None:
        # A web API keeps a port per user, so tables that most never need are not made. A pipe keeps its loop anyway.
        self._pipes: dict[Any, AsyncPipe] = {}
        self._routed: Optional[weakref.WeakKeyDictionary[Any, RoutedPipes]] = None

    def get(self) -> Optional[AsyncPipe]:
        import asyncio

        return self._pipes.get(asyncio.get_running_loop())

    def set(self, pipe: AsyncPipe) -> None:
        with lock():
            self._pipes[pipe.loop] = pipe

    def routed(self) -> RoutedPipes:
        """Those of the running loop for requests with rules of their own."""
        import asyncio

        with lock():
            if self._routed is None:
                self._routed = weakref.WeakKeyDictionary()
            return self._routed.setdefault(asyncio.get_running_loop(), RoutedPipes())

    async def release(self, owner: Any) -> None:
        for pipe in self._all():
            await pipe.release(owner)

    async def release_ended(self, owner: Any) -> None:
        """Let go of the pipes of event loops that are closed: a pipe keeps its loop, so nothing else would."""
        for pipe in self._all():
            if pipe.loop.is_closed():
                with lock():
                    self._pipes.pop(pipe.loop, None)
                    if self._routed is not None:
                        self._routed.pop(pipe.loop, None)
                await pipe.release(owner)

    def _all(self) -> list[AsyncPipe]:
        with lock():
            routed = [] if self._routed is None else list(self._routed.values())
            return [*self._pipes.values(), *(pipe for pipes in routed for pipe in pipes)]


def async_pipe(
    options: Mapping[str, Any], owner: Any, loop: asyncio.AbstractEventLoop, route: Optional[Route] = None
) -> AsyncPipe:
    """The same for one event loop."""
    options, key = routed(options, route)
    with lock():
        pipes = _async_pipes.setdefault(loop, {})
        pipe = pipes.get(key) if key is not None else None
        if pipe is None:
            pipe = AsyncPipe(options, key, loop, route)
        pipe.adopt(owner)
        if key is not None:
            pipes[key] = pipe
        return pipe


def _async_proxy_transport() -> Any:
    from azure.core.pipeline.transport import AioHttpTransport

    class ProxyTransport(AioHttpTransport):  # type: ignore[misc]
        """Reads nothing of the environment but its proxies."""

        async def send(self, request: Any, **kwargs: Any) -> Any:
            if not kwargs.get("proxy"):
                proxies = with_environment_proxies(request.url, kwargs.get("proxies"))
                if "all" in proxies:
                    # azure-core's transport looks for the URL's own protocol only.
                    proxies = {"http": proxies["all"], "https": proxies["all"], **proxies}
                kwargs["proxies"] = proxies
            return await super().send(request, **kwargs)

    return ProxyTransport


def _async_routed_transport(transport: Any, route: Route) -> Any:
    class RoutedTransport(transport):  # type: ignore[misc]
        """Keeps the rules of a route, whatever policies add to a request."""

        async def send(self, request: Any, **kwargs: Any) -> Any:
            refuse_plain(request.url, route)
            if route.tls is not None and route.tls.server_name is not None:
                kwargs["server_hostname"] = route.tls.server_name
            try:
                return await super().send(request, **routed_arguments(route, kwargs))
            except AzureError as error:
                if route.tls is not None and certificate_refused(error):
                    raise unreachable(request.url, error) from error  # nothing that a retry policy would catch
                raise

    return RoutedTransport
