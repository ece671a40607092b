"""The token endpoint of Azure Machine Learning, and of App Service before 2019, which is the same.

Source: "How to use managed identities for App Service and Azure Functions" (api-version 2017-09-01).
"""

from __future__ import annotations

from typing import Sequence

from .._values.messages import Request
from .managed_identity import query_url

API_VERSION = "2017-09-01"


def token_request(endpoint: str, secret: str, resource: str, selector: Sequence[tuple[str, str]]) -> Request:
    """Ask for a token."""
    url = query_url(endpoint, [("api-version", API_VERSION), ("resource", resource), *selector])
    return Request("GET", url, {"secret": secret, "Metadata": "true"}, direct=True)
