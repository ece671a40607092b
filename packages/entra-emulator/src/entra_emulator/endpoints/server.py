"""A background thread that serves an application over TLS and plain HTTP, and stops without leaving anything behind."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import sys
import threading
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from aiohttp import web

_ATTEMPTS = 20
_BACKLOG = 128
_GRACE = 0.25
"""Seconds that requests in progress get when the server stops."""
_ROUNDS = 3
"""Rounds of the loop until an accepted connection has its transport, or an aborted one has closed its socket."""
_LONGEST_CALL = 10.0
"""Seconds that another thread waits for the server's at most."""


class Serving(NamedTuple):
    """An application that is being served, and where."""

    runner: web.AppRunner
    sockets: Tuple[socket.socket, ...]


class BackgroundServer:
    """Serves until `stop`.

    :param application: makes the application, in the server's thread.
    :param tls: the context of the TLS port.
    :param host: `localhost` listens on 127.0.0.1 and, where there is IPv6, on ::1; anything else on that address.
    :param port: of TLS; 0 takes a free one.
    :param http_port: of plain HTTP; 0 takes a free one.
    :raises OSError: a port is taken.
    """

    def __init__(
        self, application: Callable[[], web.Application], tls: ssl.SSLContext, host: str, port: int, http_port: int
    ) -> None:
        self._application = application
        self._tls = tls
        self._tls_sockets, self.port = listen(host, port)
        try:
            self._http_sockets, self.http_port = listen(host, http_port)
        except OSError:
            _close(self._tls_sockets)
            raise
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._stopping: Optional[asyncio.Event] = None
        self._more: List[Serving] = []
        self._ready = threading.Event()
        self._failure: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, name=f"entra-emulator:{self.port}", daemon=True)

    @property
    def ipv6(self) -> bool:
        """Whether the server listens on an IPv6 address."""
        return any(one.family == socket.AF_INET6 for one in self._tls_sockets)

    def start(self) -> None:
        """Start, and return when connections are accepted."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Close every connection and end the thread. Does nothing the second time."""
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop has just closed
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def open(
        self,
        application: Callable[[], web.Application],
        sockets: Sequence[socket.socket],
        tls: Optional[ssl.SSLContext] = None,
    ) -> Serving:
        """Serve one more application on listening sockets, in the same thread, until `close` or `stop`.

        :param application: makes the application, in the server's thread.
        :param tls: a context; None serves plain HTTP.
        :raises RuntimeError: the server is not running.
        """
        if self._loop is None or not self._thread.is_alive():
            raise RuntimeError("the server is not running")
        opening = asyncio.run_coroutine_threadsafe(self._open(application, sockets, tls), self._loop)
        return opening.result(_LONGEST_CALL)

    def close(self, serving: Serving) -> None:
        """End what `open` returned. Does nothing when the server has stopped."""
        if self._loop is not None and self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(serving), self._loop).result(_LONGEST_CALL)

    async def _open(
        self,
        application: Callable[[], web.Application],
        sockets: Sequence[socket.socket],
        tls: Optional[ssl.SSLContext],
    ) -> Serving:
        serving = Serving(_runner(application()), tuple(sockets))
        await serving.runner.setup()
        self._more.append(serving)
        for one in sockets:
            await web.SockSite(serving.runner, one, ssl_context=tls, backlog=_BACKLOG).start()
        return serving

    async def _close(self, serving: Serving) -> None:
        if serving in self._more:
            self._more.remove(serving)
            await _clean_up(serving)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that started this one
            self._failure = error
        finally:
            _close([*self._tls_sockets, *self._http_sockets])
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        runner = _runner(self._application())
        await runner.setup()
        try:
            for one in self._tls_sockets:
                await web.SockSite(runner, one, ssl_context=self._tls, backlog=_BACKLOG).start()
            for one in self._http_sockets:
                await web.SockSite(runner, one, backlog=_BACKLOG).start()
            self._ready.set()
            await self._stopping.wait()
        finally:
            for serving in list(self._more):
                await self._close(serving)
            await _clean_up(Serving(runner, (*self._tls_sockets, *self._http_sockets)))


def _runner(application: web.Application) -> web.AppRunner:
    return web.AppRunner(
        application, access_log=None, handle_signals=False, shutdown_timeout=_GRACE, keepalive_timeout=75
    )


async def _clean_up(serving: Serving) -> None:
    # asyncio loses a connection that it accepts in the same moment in which the server closes: accept no more first.
    loop = asyncio.get_running_loop()
    for one in serving.sockets:
        with contextlib.suppress(NotImplementedError):  # the proactor loop of Windows has no readers
            loop.remove_reader(one)
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
    runner = serving.runner
    connections = list(runner.server.connections) if runner.server is not None else []
    transports = [one.transport for one in connections if one.transport is not None]
    await runner.cleanup()
    for transport in transports:
        transport.abort()  # a polite TLS good-bye would wait for the client
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)


def listen(host: str, port: int) -> Tuple[List[socket.socket], int]:
    """Listening sockets on `host` that share one port, and the port."""
    if host != "localhost":
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        one = _bind(family, host.strip("[]"), port)
        return [one], one.getsockname()[1]
    for _ in range(_ATTEMPTS):
        first = _bind(socket.AF_INET, "127.0.0.1", port)
        chosen = first.getsockname()[1]
        try:
            return [first, _bind(socket.AF_INET6, "::1", chosen)], chosen
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return [first], chosen  # no IPv6 on this machine
            first.close()
            if port:
                raise
    raise OSError(errno.EADDRINUSE, f"no port was free on both 127.0.0.1 and ::1 in {_ATTEMPTS} attempts")


def _bind(family: int, address: str, port: int) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # SO_REUSEADDR there would let others take the port
            one.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((address, port))
        one.listen(_BACKLOG)
        one.setblocking(False)
    except OSError as error:
        one.close()
        raise OSError(error.errno, f"cannot listen on {address} port {port}: {error.strerror or error}") from error
    return one


def _close(sockets: List[socket.socket]) -> None:
    for one in sockets:
        one.close()
