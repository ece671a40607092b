"""The names this emulator is reached by."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import FrozenSet, Optional, Tuple
from urllib.parse import urlsplit

from . import well_known

_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Addresses:
    """Hosts and ports that mean this emulator, whichever of them a client has used."""

    hosts: FrozenSet[str]
    ports: FrozenSet[int]

    def include(self, url: str, *, host_header: str = "") -> bool:
        """Whether `url` addresses this emulator.

        So does the name the client has put in the Host header, with or without a region in front, and so do the hosts
        of Microsoft's clouds: clients reach the emulator under those through name resolution of their own.
        """
        parsed = split_url(url)
        if parsed is None:
            return False
        host, port = parsed
        if host in well_known.LOGIN_HOSTS:
            return True
        if host in self.hosts and port in self.ports:
            return True
        asked = split_url(f"{url.split(':', 1)[0]}://{host_header}")
        return asked is not None and port == asked[1] and host in (asked[0], central_host(asked[0]))


def split_url(url: str) -> Optional[Tuple[str, int]]:
    """Host (lower case, IPv6 without brackets) and port of an http or https URL; None for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return parts.hostname, port or _DEFAULT_PORTS[parts.scheme]


def region_of(host: str) -> Optional[str]:
    """The region in a regional host name (`westus2.login.microsoft.com`, `westus2.localhost`), or None."""
    region, dot, rest = host.partition(".")
    return region if dot and (rest in well_known.LOGIN_HOSTS or rest == "localhost") else None


def central_host(host: str) -> str:
    """`host` without a region in front."""
    return host.partition(".")[2] if region_of(host) else host


def is_unspecified(host: str) -> bool:
    """Whether `host` means every address of this machine (0.0.0.0, ::)."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an IP address) can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
