"""Names of the published package's private modules that other packages import. Nothing here uses them but for them."""

from __future__ import annotations

from typing import Optional

__all__ = ["get_default_authority", "normalize_authority", "validate_scope", "validate_tenant_id"]


def normalize_authority(authority: str) -> str:
    """The URL of an authority, given its host or URL.

    :raises ValueError: it is none, or its scheme is not https.
    """
    from .._protocols.authority import parse_authority

    return parse_authority(authority).url


def get_default_authority() -> str:
    """The URL of the authority that AZURE_AUTHORITY_HOST names, else the public cloud's. azure-quantum asks for it."""
    from .._protocols.authority import PUBLIC_CLOUD
    from .._values import settings

    return normalize_authority(settings.read(settings.AUTHORITY_HOST) or PUBLIC_CLOUD)


def validate_tenant_id(tenant_id: Optional[str]) -> None:
    """Raise ValueError if this cannot be a tenant. None passes."""
    from .._protocols.tenants import validate_tenant

    if tenant_id is not None:
        validate_tenant(tenant_id)


def validate_scope(scope: str) -> None:
    """Raise ValueError if a scope cannot be handed to a developer tool."""
    from .._flows.developer_tool import validate_tool_scopes

    validate_tool_scopes((scope,), "validate_scope")
