"""Instance discovery: is this host one of Microsoft's? And IMDS's answer to: which region is this?

Source: "Microsoft identity platform: instance discovery" (`/common/discovery/instance`); Azure Instance Metadata
Service, "Instance metadata".
"""

from __future__ import annotations

from typing import Optional
from urllib.parse import urlencode

from .._values.messages import Request, Response
from .authority import PUBLIC_CLOUD, Authority, valid_region
from .entra import entra_headers, json_object

UNKNOWN_INSTANCE = "invalid_instance"


def instance_request(authority: Authority, tenant: str, correlation_id: str) -> Request:
    """Ask the public cloud, which knows all of them, about a host."""
    query = urlencode(
        {"api-version": "1.1", "authorization_endpoint": f"{authority.url}/{tenant}/oauth2/v2.0/authorize"}
    )
    return Request("GET", f"https://{PUBLIC_CLOUD}/common/discovery/instance?{query}", entra_headers(correlation_id))


def parse_instance(response: Response) -> Optional[bool]:
    """True: Microsoft knows the host. False: it does not. None: the answer says neither."""
    body = json_object(response.body)
    if body is None:
        return None
    if isinstance(body.get("tenant_discovery_endpoint"), str):
        return True
    return False if body.get("error") == UNKNOWN_INSTANCE else None


REGION_TIMEOUT = 2.0
"""Seconds. Off Azure nobody answers at this address."""


def region_request() -> Request:
    """Ask the Azure Instance Metadata Service for the region. Link-local, so plain http."""
    url = "http://169.254.169.254/metadata/instance/compute?api-version=2021-02-01"
    return Request("GET", url, {"Metadata": "true"}, timeout=REGION_TIMEOUT, retry=False)


def parse_region(response: Response) -> Optional[str]:
    """The region, or None."""
    body = json_object(response.body) or {}
    location = body.get("location")
    return location if response.status == 200 and isinstance(location, str) and valid_region(location) else None
