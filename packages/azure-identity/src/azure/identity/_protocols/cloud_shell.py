"""The token endpoint of Azure Cloud Shell. Source: "Use the Azure Cloud Shell window" (acquire a token)."""

from __future__ import annotations

from typing import Sequence

from .._values.messages import Request


def token_request(endpoint: str, resource: str, others: Sequence[tuple[str, str]]) -> Request:
    """Ask for a token: the only host that wants a POST."""
    return Request("POST", endpoint, {"Metadata": "true"}, {"resource": resource, **dict(others)}, direct=True)
