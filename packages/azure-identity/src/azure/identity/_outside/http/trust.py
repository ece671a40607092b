"""Which certificates are trusted. One TLS context serves a process and setting: loading a trust store costs 40 ms."""

from __future__ import annotations

import os
import ssl
import threading
from typing import TYPE_CHECKING, Any, Mapping, Optional

from .routes import routed_context

if TYPE_CHECKING:
    from .routes import Route

_contexts: dict[tuple[Any, ...], ssl.SSLContext] = {}


_contexts_lock = threading.Lock()


def _after_fork() -> None:
    global _contexts_lock
    _contexts_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


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


def context_for(
    options: Mapping[str, Any], route: Optional[Route], default_bundle: Optional[str], user: str
) -> ssl.SSLContext:
    ruled = routed_context(route) if route is not None else None
    return ruled or tls_context(options, default_bundle, user)


def connector_trust(options: Mapping[str, Any], route: Optional[Route]) -> dict[str, Any]:
    """What aiohttp's connector is told about trust: a context of ours, or nothing, so that it takes the one it has
    already loaded the system's trust store into. Never `ssl=True`: before aiohttp 3.9.2 that turned verification off.
    """
    if route is not None and route.plain:
        return {}
    usual = options.get("connection_verify", True) is True and not options.get("connection_cert")
    if route is None and usual and trust_bundle(options, os.environ) is None:
        return {}
    return {"ssl": context_for(options, route, None, "aiohttp")}
