"""The HTTP face of a host: the emulator's log and faults around the host's own routes, or an impostor in its place."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, List, Mapping, Optional, Sequence, Set

from aiohttp import web

from ..endpoints.http_face import AnyHandler, HttpFace, Route
from ..endpoints.realm import Realm
from ..journal.faults import Fault
from ..journal.request_log import LoggedRequest, RequestLog
from ..values.errors import EntraError

Impostor = Callable[[], web.Response]
"""What answers in the host's place."""

ErrorBody = Callable[[int], Any]
"""The JSON body a host sends with a status of its own accord."""


class Refusal(Exception):
    """A request that the host turns down, in the host's own words. They never hold a secret."""

    def __init__(self, status: int, body: Any, headers: Optional[Mapping[str, str]] = None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


class HostFace(HttpFace):
    """Serves one host.

    :param routes: the host's.
    :param error_body: makes the body of errors without a text of their own: unknown paths, scripted faults.
    """

    def __init__(self, realm: Realm, routes: Sequence[Route], error_body: ErrorBody) -> None:
        super().__init__(realm)
        self._host_routes = list(routes)
        self._error_body = error_body
        self.requests = RequestLog()
        """The requests to this host alone."""
        self._impostor: Optional[Impostor] = None
        self._silent = False
        self._held: Set[asyncio.Future[None]] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    def application(self) -> web.Application:
        """The aiohttp application. Belongs to the event loop that runs it."""
        self._loop = asyncio.get_running_loop()
        return super().application()

    def fall_silent(self) -> None:
        """Never answer from now on."""
        self._silent = True

    def let_answer(self, impostor: Impostor) -> None:
        """Let `impostor` answer from now on."""
        self._impostor = impostor

    def recover(self) -> None:
        """Answer again. Connections that wait for an answer are closed."""
        self._silent = False
        self._impostor = None
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._release)

    # ---- what differs from Entra ----

    def _routes(self) -> List[Route]:
        return self._host_routes

    def _logged(self, request: web.Request, body: bytes) -> LoggedRequest:
        logged = super()._logged(request, body)
        self.requests.add(logged)
        return logged

    async def _answer(self, request: web.Request, handler: AnyHandler, logged: LoggedRequest) -> web.Response:
        if self._silent:
            logged.fault = "no answer"
            return await self._hold(request)
        if self._impostor is not None:
            return self._impostor()
        try:
            response = await handler(request)
            assert isinstance(response, web.Response)  # all of ours are
            return response
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status, headers=refusal.headers)
        except EntraError as error:
            return self._refusal(request, logged, error)
        except web.HTTPException as error:  # no route, wrong method, body too large
            return web.json_response(self._error_body(error.status), status=error.status)

    def _scripted(self, request: web.Request, logged: LoggedRequest, fault: Fault) -> web.Response:
        status = fault.status or 200
        if fault.body is None and status >= 400:
            return web.json_response(self._error_body(status), status=status)
        return super()._scripted(request, logged, fault)

    async def _hold(self, request: web.Request) -> web.Response:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.add(waiting)
        try:
            await waiting
        finally:
            self._held.discard(waiting)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)

    def _release(self) -> None:
        for waiting in list(self._held):
            if not waiting.done():
                waiting.set_result(None)


def captive_portal() -> web.Response:
    """The page of a hotel's network that wants to be clicked first."""
    return web.Response(
        text="<!DOCTYPE html><html><head><title>Welcome</title></head><body>Accept our terms to go online.</body>",
        content_type="text/html",
    )
