"""Pipes of the sync credentials, over requests. See `pipes`."""

from __future__ import annotations

import atexit
import os
import ssl
import time
from typing import TYPE_CHECKING, Any, Mapping, Optional

from azure.core.exceptions import AzureError

from ..._values.messages import Response
from .no_answer import body, certificate_refused, lowered, unreachable
from .old_urllib3 import is_old_urllib3, leave_names_to_urllib3, refuse_cut_bodies
from .pipes import POOL_SIZE, Pipe, RoutedPipes, lock, routed, routed_arguments, transport_settings
from .policies import BoundedRetryPolicy, build_policies, build_request, run_options
from .proxies import asks_environment, with_environment_proxies
from .routes import Route, refuse_plain, routed_policies, routed_pool_options
from .trust import context_for

if TYPE_CHECKING:
    from ..._values.messages import Request

__all__ = ["BlockingPipe", "RoutedPipes", "blocking_pipe"]

LINGER = 30.0
"""Seconds a sync pipe waits for a new user after its last one was collected."""

_blocking_pipes: dict[Any, BlockingPipe] = {}

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blocking_pipes.clear)


class BlockingPipe(Pipe):
    """A pipe of the sync credentials."""

    idle_since: Optional[float] = None
    """When its last user was collected, if nobody has used it since (rule 8)."""

    def __init__(self, options: Mapping[str, Any], key: Any, route: Optional[Route] = None) -> None:
        from azure.core.pipeline import Pipeline

        super().__init__(key)
        self.policies = build_policies(options, BoundedRetryPolicy)
        if route is not None:
            self.policies = routed_policies(self.policies, route)
        self._session: Any = None
        transport = options.get("transport")
        self._borrowed = transport is not None
        if transport is None:
            transport = self._make_transport(options, route)
        self._pipeline: Any = Pipeline(transport, self.policies)

    def _make_transport(self, options: Mapping[str, Any], route: Optional[Route]) -> Any:
        from azure.core.pipeline.transport import RequestsTransport

        transport = RequestsTransport if route is None else _routed_transport(route)
        settings = transport_settings(options)
        if options.get("session") is not None:
            return transport(session=options["session"], session_owner=options.get("session_owner", True), **settings)
        self._session = _requests_session(options, route)
        return transport(session=self._session, session_owner=False, **settings)

    def send(self, request: Request) -> Response:
        try:
            answer = self._pipeline.run(build_request(request), **run_options(request, self.policies))
            raw = answer.http_response
            return Response(raw.status_code, lowered(raw.headers), body(raw), raw)
        except (AzureError, OSError) as error:
            raise unreachable(request.url, error) from error

    def release(self, owner: Any) -> None:
        """The owner needs the pipe no longer."""
        with lock():
            last = self.drop(id(owner))
            if last and _blocking_pipes.get(self.key) is self:
                del _blocking_pipes[self.key]
        if last:
            self._close()

    def _abandoned(self, owner_id: int) -> None:
        with lock():
            self._owners.pop(owner_id, None)
            if self._owners or self.forked():
                return
            if _blocking_pipes.get(self.key) is self:
                self.idle_since = time.monotonic()
                return
        # A session or transport of the user's is theirs to close: only `release` may, which an explicit close() calls.
        if self._session is not None:
            self._session.close()

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        elif not self._borrowed:  # a transport of the user's is closed by the port, once
            self._pipeline._transport.close()


def blocking_pipe(options: Mapping[str, Any], owner: Any, route: Optional[Route] = None) -> BlockingPipe:
    """The shared pipe for these options and this route, made if there is none yet, and counted as used by `owner`."""
    options, key = routed(options, route)
    with lock():
        pipe = _blocking_pipes.get(key) if key is not None else None
        if pipe is None:
            pipe = BlockingPipe(options, key, route)
        pipe.adopt(owner)
        pipe.idle_since = None
        if key is not None:
            _blocking_pipes[key] = pipe  # after the adoption: a collection just before it may have ended the pipe
    _close_idle(time.monotonic() - LINGER)
    return pipe


def _close_idle(before: float) -> None:
    """Close the sync pipes that nobody has used since `before`."""
    with lock():
        idle = [pipe for pipe in _blocking_pipes.values() if pipe.idle_since is not None and pipe.idle_since <= before]
        for pipe in idle:
            del _blocking_pipes[pipe.key]
    for pipe in idle:
        pipe._close()


atexit.register(_close_idle, float("inf"))


def _plain_adapter() -> Any:
    """Connections without TLS. (A redirect to https, should somebody permit one, gets what requests trusts.)"""
    from requests.adapters import HTTPAdapter

    adapter = HTTPAdapter(pool_maxsize=POOL_SIZE)
    if is_old_urllib3():
        refuse_cut_bodies(adapter.poolmanager)
    return adapter


def _shared_trust_adapter(options: Mapping[str, Any], route: Optional[Route]) -> Any:
    """Connections that may need TLS."""
    from requests.adapters import HTTPAdapter
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    bundle = DEFAULT_CA_BUNDLE_PATH if options.get("connection_verify", True) is not False else None
    context = context_for(options, route, bundle, "urllib3")
    verify = context.verify_mode is not ssl.CERT_NONE
    pool_options: dict[str, Any] = routed_pool_options(route) if route is not None else {}
    old = is_old_urllib3()
    if old:
        leave_names_to_urllib3(context)

    class SharedTrustAdapter(HTTPAdapter):
        """Connections that all use one TLS context, instead of loading the trust store for each."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            kwargs.update(pool_options, ssl_context=context)
            super().init_poolmanager(*args, **kwargs)
            if old:
                refuse_cut_bodies(self.poolmanager)

        def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
            kwargs.update(pool_options, ssl_context=context)
            manager = super().proxy_manager_for(proxy, **kwargs)
            if old:
                refuse_cut_bodies(manager)
            return manager

        def send(self, request: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            # requests has mixed its own reading of the environment into `verify`; the context has been made from ours.
            kwargs.update(verify=verify, cert=None)
            return super().send(request, **kwargs)

        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            super().cert_verify(conn, url, verify, None)
            conn.ca_certs = conn.ca_cert_dir = None  # the context has them; given here they would be loaded again

    return SharedTrustAdapter(pool_maxsize=POOL_SIZE)


def _requests_session(options: Mapping[str, Any], route: Optional[Route] = None) -> Any:
    import requests

    asks = asks_environment(options, route)

    class ProxySession(requests.Session):
        """Reads nothing of the environment but its proxies."""

        def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
            if asks:
                proxies = with_environment_proxies(url, proxies)
            return super().merge_environment_settings(url, proxies, stream, verify, cert)

    from http.cookiejar import DefaultCookiePolicy

    session = ProxySession()
    # The session is shared: what one credential's answer sets must not travel with another's request.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.trust_env = False
    adapter = _plain_adapter() if route is not None and route.plain else _shared_trust_adapter(options, route)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _routed_transport(route: Route) -> Any:
    from azure.core.pipeline.transport import RequestsTransport

    class RoutedTransport(RequestsTransport):  # type: ignore[misc]
        """Keeps the rules of a route, whatever policies add to a request."""

        def send(self, request: Any, **kwargs: Any) -> Any:
            refuse_plain(request.url, route)
            try:
                return super().send(request, **routed_arguments(route, kwargs))
            except AzureError as error:
                if route.tls is not None and certificate_refused(error):
                    raise unreachable(request.url, error) from error  # nothing that a retry policy would catch
                raise

    return RoutedTransport
