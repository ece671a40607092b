"""Which proxy a request goes through: read by us, by the rules of requests, in both worlds."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Mapping, Optional

if TYPE_CHECKING:
    from .routes import Route

_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


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


def asks_environment(options: Mapping[str, Any], route: Optional[Route]) -> bool:
    """Whether a session looks for proxies in the environment."""
    return bool(options.get("use_env_settings", True)) and not (route is not None and route.direct)
