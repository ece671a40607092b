"""One port of a host: open, refusing, or closed. Refusing keeps the port, so that nobody else can take it meanwhile."""

from __future__ import annotations

import socket
import ssl
from typing import Callable, List, Optional

from aiohttp import web

from ..endpoints.server import BackgroundServer, Serving, listen


class Listener:
    """Listens on a port of its own, in the emulator's thread.

    :param host: `localhost` for 127.0.0.1 and ::1, or an address.
    :param port: 0 takes a free one.
    :raises OSError: the port is taken, or the address is not this machine's.
    """

    def __init__(
        self,
        server: BackgroundServer,
        application: Callable[[], web.Application],
        *,
        host: str = "localhost",
        port: int = 0,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._server = server
        self._application = application
        self._host = host
        self._tls = tls
        self._serving: Optional[Serving] = None
        self._placeholders: List[socket.socket] = []
        sockets, self.port = listen(host, port)
        self._families = [one.family for one in sockets]
        self._serving = server.open(application, sockets, tls)

    def refuse(self) -> None:
        """Drop all connections, and refuse new ones. Does nothing if it refuses already."""
        if self._serving is not None:
            self._stop()
            self._placeholders = [_reserve(family, self._host, self.port) for family in self._families]

    def reopen(self) -> None:
        """Accept connections again. Does nothing if it does."""
        if self._serving is None:
            self._release()
            sockets, _ = listen(self._host, self.port)
            self._serving = self._server.open(self._application, sockets, self._tls)

    def close(self) -> None:
        """Close everything, and give up the port."""
        self._stop()
        self._release()

    def _stop(self) -> None:
        if self._serving is not None:
            self._server.close(self._serving)
            self._serving = None

    def _release(self) -> None:
        for one in self._placeholders:
            one.close()
        self._placeholders = []


def _reserve(family: int, host: str, port: int) -> socket.socket:
    """A socket that has the port and does not listen: the system answers connection attempts with a reset."""
    loopback = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind((loopback if host == "localhost" else host.strip("[]"), port))
    return one
