"""Authorities: which host, which cloud, which endpoints."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, Optional

PUBLIC_CLOUD = "login.microsoftonline.com"

CLOUDS: tuple[tuple[str, ...], ...] = (
    ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"),
    ("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
    ("login.microsoftonline.us", "login.usgovcloudapi.net"),
    ("login.microsoftonline.de",),
    ("login-us.microsoftonline.com",),
    ("login.sovcloud-identity.fr",),
    ("login.sovcloud-identity.de",),
    ("login.sovcloud-identity.sg",),
)
"""Hosts of Microsoft's clouds. Each row is one cloud: its names are interchangeable, and the first stands for all in
cache keys.

Microsoft identity platform documentation, "National clouds"; instance discovery metadata.
"""

_CANONICAL = {host: row[0] for row in CLOUDS for host in row}
_DEVELOPER_KNOWN = re.compile(r"(?:^|\.)(?:b2clogin\.(?:com|cn|us|de)|ciamlogin\.com)\Z")
_LOOPBACK = re.compile(r"\A(?:localhost|127(?:\.[0-9]{1,3}){3}|::1)\Z")
# RFC 3986, but for what has no place in an authority: user information, query, fragment.
_URL = re.compile(
    r"\A(https?)://(?:([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)|\[([0-9a-f:.]+)\])(?::([0-9]{1,5}))?"
    r"((?:/[a-z0-9._~!$&'()*+,;=:%-]*)*)\Z",
    re.IGNORECASE | re.ASCII,
)


class Authority(NamedTuple):
    """A normalised authority."""

    url: str
    """`https://host[:port][/path]`, no slash at the end, host in lower case."""
    host: str
    """Host name without port, lower case, IPv6 without brackets."""

    @property
    def cloud(self) -> str:
        """What stands for this authority in cache keys: equal for aliases of one cloud, different for all else."""
        return _CANONICAL.get(self.host, self.url) if self.url == f"https://{self.host}" else self.url

    @property
    def known(self) -> bool:
        """Whether Microsoft vouches for the host, so that nobody needs to be asked."""
        return self.host in _CANONICAL

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine."""
        return _LOOPBACK.match(self.host) is not None

    @property
    def needs_discovery(self) -> bool:
        """Whether an instance discovery must confirm that the host belongs to Microsoft before it is sent a secret."""
        return not (self.known or self.loopback or _DEVELOPER_KNOWN.search(self.host))


@lru_cache(maxsize=64)
def parse_authority(value: str) -> Authority:
    """Normalise what a user calls an authority: a host, host:port, or an https URL.

    Plain http is accepted for this machine only (`http://localhost`, `http://127.0.0.1`, `http://[::1]`), for local
    test servers.

    :raises ValueError: the value is blank, or is neither a host nor an https URL.
    """
    text = value.strip()
    if not text.strip("/ "):
        raise ValueError("authority must be a host such as 'login.microsoftonline.com', but it is blank.")
    if "://" not in text:
        text = "https://" + text.lstrip("/")
    found = _URL.match(text.rstrip("/ "))
    scheme, name, ipv6, digits, path = (part or "" for part in found.groups()) if found else ("",) * 5
    scheme, host, port = scheme.lower(), (name or ipv6).lower(), int(digits) if digits else None
    allowed = scheme == "https" or (scheme == "http" and _LOOPBACK.match(host) is not None)
    if not allowed or (port or 0) > 65535:
        raise ValueError(
            "authority must be a host such as 'login.microsoftonline.com' or an https URL (http only for this "
            f"machine), but it is {_without_user(value)!r}."
        )
    location = f"[{host}]" if ipv6 else host
    if port is not None and port != {"https": 443, "http": 80}[scheme]:
        location = f"{location}:{port}"
    return Authority(f"{scheme}://{location}{path.rstrip('/')}", host)


def _without_user(value: str) -> str:
    """The text without what may be a user name and password: all before the last @."""
    return re.sub(r"\A(.*?//)?.*@", r"\1***@", value.strip(), flags=re.DOTALL)


def is_adfs(tenant: str) -> bool:
    """Whether the tenant segment names an AD FS server instead of a tenant."""
    return tenant.lower() == "adfs"


def token_endpoint(authority: Authority, tenant: str, region: Optional[str] = None) -> str:
    """The token endpoint, composed: known clouds and AD FS publish no other (OpenID configuration says the same)."""
    if is_adfs(tenant):
        return f"{authority.url}/adfs/oauth2/token"
    base = authority.url if region is None else f"https://{regional_host(authority.host, region)}"
    return f"{base}/{tenant}/oauth2/v2.0/token"


_REGION = re.compile(r"\A[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


def valid_region(name: str) -> bool:
    """Whether a region name may become part of a host name."""
    return _REGION.match(name) is not None


def regional_host(host: str, region: str) -> str:
    """The regional endpoint's host."""
    if not valid_region(region):
        raise ValueError(
            f"A region is lower case letters, digits and hyphens, such as 'westus2', but it is {region!r}."
        )
    if _CANONICAL.get(host) == PUBLIC_CLOUD:
        return f"{region}.login.microsoft.com"
    return f"{region}.{host}"
