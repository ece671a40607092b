"""The token endpoint of Service Fabric.

Sources: "Leverage the managed identity of a Service Fabric application to access Azure services"; MSAL.NET, "Managed
identity token revocation" (`token_sha256_to_refresh`, `xms_cc`).
"""

from __future__ import annotations

import hashlib
from typing import Optional, Sequence

from .._values.messages import Request, Tls
from .managed_identity import query_url

API_VERSION = "2019-07-01-preview"
"""Accepted by all versions of the runtime."""
CAPABILITY = "cp1"
"""Tells the authority that the client can handle claims challenges."""

_SEPARATORS = str.maketrans("", "", " \t\r\n:")


def normal_thumbprint(text: str) -> Optional[str]:
    """A SHA-1 (40 digits) or SHA-256 (64) thumbprint in lower-case hex without separators; None if it is none."""
    digits = text.translate(_SEPARATORS).lower()
    if len(digits) not in (40, 64) or any(digit not in "0123456789abcdef" for digit in digits):
        return None
    return digits


def token_request(
    endpoint: str,
    secret: str,
    thumbprint: str,
    resource: str,
    selector: Sequence[tuple[str, str]],
    *,
    api_version: Optional[str] = None,
    rejected: Optional[str] = None,
    cae: bool = False,
) -> Request:
    """Ask for a token. `rejected` is one that a resource no longer accepts: by its hash the host knows that the copy it
    keeps will not do."""
    fields = [("api-version", api_version or API_VERSION), ("resource", resource), *selector]
    if rejected is not None:
        fields.append(("token_sha256_to_refresh", hashlib.sha256(rejected.encode("utf-8")).hexdigest()))
    if cae:
        fields.append(("xms_cc", CAPABILITY))
    return Request("GET", query_url(endpoint, fields), {"Secret": secret}, direct=True, tls=Tls(thumbprint))
