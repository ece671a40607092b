"""Which tenant a token is requested from."""

from __future__ import annotations

import re
from typing import Optional, Sequence

from .authority import is_adfs

_TENANT = re.compile(r"\A[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z")


class TenantNotAllowed(Exception):
    """The credential may not request tokens from this tenant."""


def validate_tenant(tenant: Optional[str], parameter: str = "tenant_id") -> str:
    """The tenant, if it can be one.

    :raises ValueError: it is empty or has characters no tenant id or domain name has.
    """
    if not isinstance(tenant, str) or not _TENANT.match(tenant) or ".." in tenant:
        raise ValueError(
            f"{parameter} is invalid: {tenant!r}. Expected a tenant id (a GUID) or a domain name of the tenant, "
            "such as 'contoso.onmicrosoft.com'. You can find them in the Azure portal under Microsoft Entra ID, "
            "Overview: https://learn.microsoft.com/partner-center/find-ids-and-domain-names"
        )
    return tenant


def resolve_tenant(
    configured: Optional[str],
    requested: Optional[str],
    additionally_allowed: Sequence[str] = (),
    *,
    multitenant_disabled: bool = False,
) -> Optional[str]:
    """The tenant to ask, given what the credential is configured for and what the caller wants.

    A resource names the tenant in its challenge; this rule keeps it from steering a credential to a foreign one.
    Tenants compare without regard to case.

    :raises TenantNotAllowed: the caller's tenant is not the configured one and not among those additionally allowed.
    """
    if not requested or (configured and requested.lower() == configured.lower()):
        return configured
    if (configured and is_adfs(configured)) or multitenant_disabled:
        return configured
    if not configured:
        return requested
    allowed = {tenant.lower() for tenant in additionally_allowed}
    if "*" in allowed or requested.lower() in allowed:
        return requested
    if not allowed and configured.lower() == "organizations":
        return requested
    raise TenantNotAllowed(requested)


def tenant_list(given: object) -> tuple[str, ...]:
    """The tenants of `additionally_allowed_tenants`; `"*"` alone is taken for `["*"]`.

    :raises TypeError: it is not a list of strings.
    """
    if given is None:
        return ()
    if given == "*":
        return ("*",)
    if isinstance(given, (list, tuple, set, frozenset)):
        tenants = tuple(str(tenant) for tenant in given if isinstance(tenant, str))
        if len(tenants) == len(given):
            return tenants
    raise TypeError(
        "additionally_allowed_tenants must be a list of tenants, such as ['contoso.onmicrosoft.com'] or ['*']."
    )
