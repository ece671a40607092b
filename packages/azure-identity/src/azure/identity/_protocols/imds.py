"""The Azure Instance Metadata Service (IMDS): how it is asked, and how what answers in its place is told from it.

Source: "How to use managed identities for Azure resources on an Azure VM to acquire an access token", "Azure Instance
Metadata Service".
"""

from __future__ import annotations

from typing import Sequence

from .._values.messages import Request, Response
from .entra import json_object
from .managed_identity import query_url

ADDRESS = "http://169.254.169.254"
"""Link-local: never routed, the same on every Azure machine, and plain http."""
TOKEN_PATH = "/metadata/identity/oauth2/token"
API_VERSION = "2018-02-01"

PROBE_TIMEOUT = 1.0
"""Seconds. On Azure the answer takes some milliseconds; elsewhere nobody answers at this address."""

ABSENT = "absent"
"""Nobody answers, or somebody who says that IMDS cannot be reached."""
PRESENT = "present"
"""IMDS: it insists on the header that the probe does not have."""
PLAUSIBLE = "plausible"
"""It answers like a service, but does not prove to be IMDS."""
DOUBTFUL = "doubtful"
"""What answers does not speak JSON."""


def token_request(endpoint: str, resource: str, selector: Sequence[tuple[str, str]]) -> Request:
    """Ask for a token."""
    return probe_request(endpoint, resource, selector)._replace(headers={"Metadata": "true"}, timeout=None)


def probe_request(endpoint: str, resource: str, selector: Sequence[tuple[str, str]]) -> Request:
    """The same without its required header, which IMDS refuses at once."""
    url = query_url(endpoint, [("api-version", API_VERSION), ("resource", resource), *selector])
    return Request("GET", url, timeout=PROBE_TIMEOUT, retry=False, direct=True)


def token_endpoint(pod_identity_host: str) -> str:
    """The URL of the token endpoint, at the given host or, if that is empty, at IMDS's address."""
    host = pod_identity_host.strip("/") or ADDRESS
    return (host if "://" in host else f"http://{host}") + TOKEN_PATH


def is_impostor(response: Response) -> bool:
    """Whether this says that IMDS cannot be reached. Docker Desktop answers so, in JSON or as text, for addresses it
    has no route to."""
    return response.status == 403 and b"unreachable" in response.body


def verdict(response: Response) -> str:
    """What the answer to a probe says about whoever sent it."""
    if is_impostor(response):
        return ABSENT
    speaks_json = json_object(response.body) is not None
    if response.status == 400:
        return PRESENT if speaks_json else PLAUSIBLE
    # While it is updated, IMDS answers 404 or 410; when it is asked too often, 429.
    return PLAUSIBLE if speaks_json or (response.status in (404, 410, 429) and not _is_page(response)) else DOUBTFUL


def _is_page(response: Response) -> bool:
    return response.headers.get("content-type", "").strip().lower().startswith("text/html")
