"""HTTP for the I/O ports: azure-core pipelines over shared connection pools.

1. A *pipe* is a pipeline over a transport. Credentials whose options are equal share one pipe, and with it the
   connections, the TLS context and the policies: a web API that makes a credential per request must not open a
   connection per request.
2. A pipe is counted: it closes when the last credential that uses it is closed or collected.
3. Options that cannot be compared (a transport, a session, a hook that is a lambda made anew each time) get a pipe of
   their own.
4. An async pipe belongs to one event loop. A process that forks starts with no pipes: sockets must not be shared with
   the parent.
5. A trust store is loaded once per process and setting: that costs 40 ms and half a megabyte each time.
6. Token requests are safe to repeat, so POST is retried like GET. A `Retry-After` longer than the longest pause
   (`retry_backoff_max`, 30 seconds unless set) is not slept through: the caller gets the answer and can decide.
7. Requests with rules of their own (no proxy, a pinned certificate) have pipes of their own: see `_routes`.
8. A web API makes a credential per request and leaves it to the garbage collector. A sync pipe whose last user was
   collected, not closed, therefore waits a while for the next one; it closes when another is asked for after that, or
   with the process. An async pipe cannot: its event loop may be closed before it.
"""

from __future__ import annotations

import atexit
import os
import ssl
import sys
import threading
import time
import weakref
import zlib
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Optional

from azure.core.exceptions import AzureError

from ..._values.messages import Response
from .no_answer import body, certificate_refused, lowered, unreachable
from .old_urllib3 import is_old_urllib3, leave_names_to_urllib3, refuse_cut_bodies
from .policies import AsyncBoundedRetryPolicy, BoundedRetryPolicy, build_policies, build_request, run_options
from .routes import (
    Route,
    refuse_plain,
    routed_context,
    routed_options,
    routed_policies,
    routed_pool_options,
)

if TYPE_CHECKING:
    import asyncio

    from ..._values.messages import Request

CONNECT_TIMEOUT = 20
"""Default of `connection_timeout`, seconds. azure-core's 300 would let an unreachable authority block for 20
minutes."""
READ_TIMEOUT = 60
"""Default of `read_timeout`, seconds."""
LINGER = 30.0
"""Seconds a sync pipe waits for a new user after its last one was collected."""
POOL_SIZE = 64
"""Idle connections a shared pool keeps per host."""
ROUTES = 4
"""Routes with a TLS rule that one port keeps pipes for. A credential needs one at a time."""

_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_TRANSPORT_OPTIONS = (
    "connection_timeout",
    "read_timeout",
    "connection_verify",
    "connection_cert",
    "connection_data_block_size",
    "use_env_settings",
)


# --- trust ---

_contexts: dict[tuple[Any, ...], ssl.SSLContext] = {}
_contexts_lock = threading.Lock()


def trust_bundle(options: Mapping[str, Any], environ: Mapping[str, str]) -> Optional[str]:
    """The CA file or folder that the environment or the caller names, or None for the transport's own default.

    `connection_verify` wins; then, unless `use_env_settings=False`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` and
    `SSL_CERT_FILE`. Both worlds honour all three, where requests alone knows the first two and OpenSSL the last.
    """
    verify = options.get("connection_verify", True)
    if isinstance(verify, (str, os.PathLike)):
        return os.fspath(verify)
    if verify is True and options.get("use_env_settings", True):
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            path = environ.get(name)
            if path and os.path.exists(path):  # noqa: PTH110 - pathlib would be one more import at start-up
                return path
    return None


def tls_context(options: Mapping[str, Any], default_bundle: Optional[str], user: str) -> ssl.SSLContext:
    """The TLS context for these options, shared by all connections of one kind. `default_bundle` None: the system's
    trust store.

    `user` is who will have it, urllib3 or aiohttp. They never share one: urllib3 may switch `check_hostname` off in the
    context it is given and compare names itself (with LibreSSL, pyOpenSSL or a fingerprint), and aiohttp would not.
    """
    verify = options.get("connection_verify", True)
    bundle = (trust_bundle(options, os.environ) or default_bundle) if verify is not False else None
    changed = os.stat(bundle).st_mtime_ns if bundle else 0  # noqa: PTH116
    cert = options.get("connection_cert")
    key = (user, verify is False, bundle, changed, tuple(cert) if isinstance(cert, (list, tuple)) else cert)
    with _contexts_lock:
        context = _contexts.get(key)
        if context is None:
            if verify is False:
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            elif bundle and os.path.isdir(bundle):  # noqa: PTH112
                context = ssl.create_default_context(capath=bundle)
            else:
                context = ssl.create_default_context(cafile=bundle)
            if cert:
                context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
            _contexts[key] = context
        return context


# --- pipes ---

_generation = 0
"""Counts forks: a pipe made before a fork belongs to the parent."""
# Re-entrant: the garbage collector may run in the thread that holds it, and come upon a port that nobody closed.
_lock = threading.RLock()
_blocking_pipes: dict[Any, BlockingPipe] = {}
_async_pipes: weakref.WeakKeyDictionary[Any, dict[Any, AsyncPipe]] = weakref.WeakKeyDictionary()


def _after_fork() -> None:
    global _generation, _lock, _contexts_lock, _async_pipes
    _generation += 1
    _lock, _contexts_lock = threading.RLock(), threading.Lock()
    _blocking_pipes.clear()
    _async_pipes = weakref.WeakKeyDictionary()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Pipe:
    """A pipeline, its transport, and who uses it."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self._generation = _generation
        self._owners: dict[int, weakref.finalize[Any, Any]] = {}
        self.policies: list[Any] = []
        self.retired = False
        """Whether its last user is gone."""

    def forked(self) -> bool:
        """Whether the process forked since this pipe was made."""
        return self._generation != _generation

    def adopt(self, owner: Any) -> None:
        """Count `owner` as a user until it lets go or is collected."""
        finalizer = weakref.finalize(owner, self._abandoned, id(owner))
        finalizer.atexit = False
        self._owners[id(owner)] = finalizer

    def drop(self, owner_id: int) -> bool:
        """One user less; True if that was the last one."""
        finalizer = self._owners.pop(owner_id, None)
        if finalizer is not None:
            finalizer.detach()
        self.retired = not self._owners
        return finalizer is not None and self.retired

    def _abandoned(self, owner_id: int) -> None:
        raise AssertionError("each kind has its own")


class BlockingPipe(_Pipe):
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
        settings = _transport_settings(options)
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
        with _lock:
            last = self.drop(id(owner))
            if last and _blocking_pipes.get(self.key) is self:
                del _blocking_pipes[self.key]
        if last:
            self._close()

    def _abandoned(self, owner_id: int) -> None:
        with _lock:
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


class AsyncPipe(_Pipe):
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

        settings = _transport_settings(options)
        if options.get("session") is not None:
            transport = AioHttpTransport if route is None else _async_routed_transport(AioHttpTransport, route)
            return transport(session=options["session"], session_owner=options.get("session_owner", True), **settings)
        transport = _async_proxy_transport() if _asks_environment(options, route) else AioHttpTransport
        if route is not None:
            transport = _async_routed_transport(transport, route)
        settings.pop("connection_cert", None)
        settings["connection_verify"] = True  # the connector's own context decides
        connector = aiohttp.TCPConnector(**_connector_trust(options, route))
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
        with _lock:
            last = self.drop(owner_id)
            pipes = _async_pipes.get(self.loop)
            if last and pipes is not None and pipes.get(self.key) is self:
                del pipes[self.key]
        return last

    def _abandoned(self, owner_id: int) -> None:
        # Nothing can be awaited here. The connections close when the session is collected, and aiohttp then warns,
        # rightly, that somebody did not close a credential.
        with _lock:
            self._owners.pop(owner_id, None)
            pipes = _async_pipes.get(self.loop)
            if not self._owners and pipes is not None and pipes.get(self.key) is self:
                del pipes[self.key]

    async def _close(self) -> None:
        if self._session is not None:
            await self._session.close()
        elif not self._borrowed:
            await self._pipeline._transport.close()


class RoutedPipes:
    """The pipes of one port (and event loop) for requests with rules of their own, by route."""

    def __init__(self) -> None:
        self._pipes: dict[Route, Any] = {}

    def __iter__(self) -> Iterator[Any]:
        with _lock:
            return iter(list(self._pipes.values()))

    def get(self, route: Route) -> Any:
        """The pipe of a route, or None if there is none that can be used."""
        pipe = self._pipes.get(route)
        return None if pipe is None or pipe.retired or pipe.forked() else pipe

    def put(self, route: Route, pipe: Any) -> list[Any]:
        """Keep the pipe of a route. Returns pipes that are of no use after that."""
        with _lock:
            dropped = [self._pipes.pop(old) for old in list(self._pipes) if old == route or route.replaces(old)]
            self._pipes[route] = pipe
            ruled = [old for old in self._pipes if old.tls is not None]
            dropped += [self._pipes.pop(old) for old in ruled[:-ROUTES]]
        return [old for old in dropped if old is not pipe and not old.forked()]


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
        with _lock:
            self._pipes[pipe.loop] = pipe

    def routed(self) -> RoutedPipes:
        """Those of the running loop for requests with rules of their own."""
        import asyncio

        with _lock:
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
                with _lock:
                    self._pipes.pop(pipe.loop, None)
                    if self._routed is not None:
                        self._routed.pop(pipe.loop, None)
                await pipe.release(owner)

    def _all(self) -> list[AsyncPipe]:
        with _lock:
            routed = [] if self._routed is None else list(self._routed.values())
            return [*self._pipes.values(), *(pipe for pipes in routed for pipe in pipes)]


def blocking_pipe(options: Mapping[str, Any], owner: Any, route: Optional[Route] = None) -> BlockingPipe:
    """The shared pipe for these options and this route, made if there is none yet, and counted as used by `owner`."""
    options, key = _routed(options, route)
    with _lock:
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
    with _lock:
        idle = [pipe for pipe in _blocking_pipes.values() if pipe.idle_since is not None and pipe.idle_since <= before]
        for pipe in idle:
            del _blocking_pipes[pipe.key]
    for pipe in idle:
        pipe._close()


atexit.register(_close_idle, float("inf"))


def async_pipe(
    options: Mapping[str, Any], owner: Any, loop: asyncio.AbstractEventLoop, route: Optional[Route] = None
) -> AsyncPipe:
    """The same for one event loop."""
    options, key = _routed(options, route)
    with _lock:
        pipes = _async_pipes.setdefault(loop, {})
        pipe = pipes.get(key) if key is not None else None
        if pipe is None:
            pipe = AsyncPipe(options, key, loop, route)
        pipe.adopt(owner)
        if key is not None:
            pipes[key] = pipe
        return pipe


def _routed(options: Mapping[str, Any], route: Optional[Route]) -> tuple[Mapping[str, Any], Any]:
    """The options that apply on a route, and the key of their pipe."""
    if route is None:
        return options, _comparable(options)
    options = routed_options(options, route)
    key = _comparable(options)
    return options, None if key is None else (key, route)


def _comparable(options: Mapping[str, Any]) -> Any:
    """A dictionary key that is equal for equal options; None if they cannot be compared or must not be shared."""
    if options.get("transport") is not None or options.get("session") is not None:
        return None
    try:
        environment = tuple(os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
        return (environment, *_frozen(options))
    except TypeError:
        return None


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(sorted((str(name), _frozen(item)) for name, item in value.items()))
    if value is None or isinstance(value, (str, int, float, bool, bytes)):
        return (type(value).__name__, value)
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} is not compared by value")


def _transport_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {"connection_timeout": CONNECT_TIMEOUT, "read_timeout": READ_TIMEOUT}
    settings.update({name: options[name] for name in _TRANSPORT_OPTIONS if name in options})
    if isinstance(settings["connection_timeout"], tuple):
        del settings["read_timeout"]
    return settings


def _connector_trust(options: Mapping[str, Any], route: Optional[Route]) -> dict[str, Any]:
    """What aiohttp's connector is told about trust: a context of ours, or nothing, so that it takes the one it has
    already loaded the system's trust store into. Never `ssl=True`: before aiohttp 3.9.2 that turned verification off.
    """
    if route is not None and route.plain:
        return {}
    usual = options.get("connection_verify", True) is True and not options.get("connection_cert")
    if route is None and usual and trust_bundle(options, os.environ) is None:
        return {}
    return {"ssl": _context(options, route, None, "aiohttp")}


def _context(
    options: Mapping[str, Any], route: Optional[Route], default_bundle: Optional[str], user: str
) -> ssl.SSLContext:
    ruled = routed_context(route) if route is not None else None
    return ruled or tls_context(options, default_bundle, user)


def with_environment_proxies(url: str, given: Optional[Mapping[str, str]]) -> dict[str, str]:
    """Proxies by protocol: those given, and besides them those that the environment (or the system's settings) names
    for the URL.

    Both worlds read them as requests does, whose NO_PROXY may contain networks. Left to do it by themselves, requests
    and aiohttp would also look for a .netrc file at every request (aiohttp in another thread), and send a password from
    it to the authority.
    """
    proxies = dict(given or {})
    if not _may_have_proxies():
        return proxies
    from requests.utils import get_environ_proxies

    return {**get_environ_proxies(url, no_proxy=proxies.get("no_proxy")), **proxies}


def _may_have_proxies() -> bool:
    """Whether it is worth looking closer. Environments have hundreds of variables in some clusters."""
    if sys.platform in ("win32", "darwin"):
        from urllib.request import getproxies

        return bool(getproxies())
    return any(os.environ.get(name) for name in _PROXY_VARIABLES)


def _asks_environment(options: Mapping[str, Any], route: Optional[Route]) -> bool:
    """Whether a session looks for proxies in the environment."""
    return bool(options.get("use_env_settings", True)) and not (route is not None and route.direct)


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
    context = _context(options, route, bundle, "urllib3")
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

    asks = _asks_environment(options, route)

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


# --- transports of routes ---


def _routed_transport(route: Route) -> Any:
    from azure.core.pipeline.transport import RequestsTransport

    class RoutedTransport(RequestsTransport):  # type: ignore[misc]
        """Keeps the rules of a route, whatever policies add to a request."""

        def send(self, request: Any, **kwargs: Any) -> Any:
            refuse_plain(request.url, route)
            try:
                return super().send(request, **_routed_arguments(route, kwargs))
            except AzureError as error:
                if route.tls is not None and certificate_refused(error):
                    raise unreachable(request.url, error) from error  # nothing that a retry policy would catch
                raise

    return RoutedTransport


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
                return await super().send(request, **_routed_arguments(route, kwargs))
            except AzureError as error:
                if route.tls is not None and certificate_refused(error):
                    raise unreachable(request.url, error) from error  # nothing that a retry policy would catch
                raise

    return RoutedTransport


def _routed_arguments(route: Route, given: Mapping[str, Any]) -> dict[str, Any]:
    """What policies gave for sending, without what would break the route's rules."""
    void = (("proxies", "proxy") if route.direct else ()) + (
        ("connection_verify", "connection_cert", "ssl") if route.tls is not None else ()
    )
    return {name: value for name, value in given.items() if name not in void}
