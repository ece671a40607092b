"""The token endpoint of App Service, Functions, Container Apps and Automation.

Source: "How to use managed identities for App Service and Azure Functions" (REST endpoint reference).
"""

from __future__ import annotations

from typing import Sequence

from .._values.messages import Request
from .managed_identity import query_url

API_VERSION = "2019-08-01"


def token_request(endpoint: str, secret: str, resource: str, selector: Sequence[tuple[str, str]]) -> Request:
    """Ask for a token. The header keeps others from making the program ask (SSRF). Automation wants `Metadata` too."""
    url = query_url(endpoint, [("api-version", API_VERSION), ("resource", resource), *selector])
    return Request("GET", url, {"X-IDENTITY-HEADER": secret, "Metadata": "true"}, direct=True)
