"""Discovery documents: what clients learn about tenants, hosts and users before they ask for a token."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from ..tokens.access_tokens import v1_issuer, v2_issuer
from ..values import well_known
from ..values.addresses import Addresses, split_url
from ..values.errors import aadsts
from ..values.settings import Settings

_TENANT_PLACEHOLDER = "{tenantid}"
"""What stands for the tenant in the issuer of the documents of `common` and its kind."""

_COMMON = {
    "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
    "response_modes_supported": ["query", "fragment", "form_post"],
    "subject_types_supported": ["pairwise"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "request_uri_parameter_supported": False,
    "http_logout_supported": True,
    "frontchannel_logout_supported": True,
    "tenant_region_scope": "EU",
    "cloud_instance_name": "microsoftonline.com",
    "cloud_graph_host_name": "graph.windows.net",
    "msgraph_host": "graph.microsoft.com",
    "rbac_url": "https://pas.windows.net",
}


def openid_configuration(base: str, tenant: str, *, version: int, settings: Settings) -> Dict[str, Any]:
    """The OpenID Connect discovery document of a tenant.

    :param base: `scheme://host` as the client has addressed the emulator.
    :param tenant: a tenant id, or a pseudo tenant such as `common`.
    :keyword version: 1 or 2.
    """
    issued_for = _TENANT_PLACEHOLDER if tenant in well_known.PSEUDO_TENANTS else tenant
    if version == 1:
        authorize, part, keys = f"{base}/{tenant}/oauth2", "", f"{base}/{tenant}/discovery/keys"
        issuer = v1_issuer(settings.issuer_v1, issued_for)
    else:
        authorize, part, keys = f"{base}/{tenant}/oauth2/v2.0", "v2.0/", f"{base}/{tenant}/discovery/v2.0/keys"
        issuer = v2_issuer(settings.issuer_v2, issued_for)
    return {
        "token_endpoint": f"{authorize}/token",
        "jwks_uri": keys,
        "issuer": issuer,
        "authorization_endpoint": f"{authorize}/authorize",
        "userinfo_endpoint": f"{base}/oidc/userinfo",
        "device_authorization_endpoint": f"{authorize}/devicecode",
        "end_session_endpoint": f"{base}/{tenant}/oauth2/{part}logout",
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": [
            *("sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name"),
            *("tid", "ver", "at_hash", "c_hash", "email"),
        ],
        **_COMMON,
    }


def issuer_of_keys(settings: Settings) -> str:
    """Which issuer the v2 key set names: all tenants share the keys, so a placeholder stands for the tenant."""
    return v2_issuer(settings.issuer_v2, _TENANT_PLACEHOLDER)


def instance_discovery(
    base: str, host_header: str, authorization_endpoint: str, api_version: str, addresses: Addresses
) -> Dict[str, Any]:
    """The answer to "is this host an Entra authority, and by which names?".

    Version 1.0 names the tenant's discovery document; 1.1 adds the aliases of every known cloud.

    :raises EntraError: AADSTS900144, a parameter is missing; AADSTS50049, the host is none.
    """
    if not authorization_endpoint:
        raise aadsts(900144, name="authorization_endpoint")
    known = split_url(authorization_endpoint)
    if known is None or not addresses.include(authorization_endpoint, host_header=host_header):
        raise aadsts(50049)
    host, _ = known
    parts = urlsplit(authorization_endpoint)
    own = host not in well_known.LOGIN_HOSTS or host == host_header.lower()
    tenant = parts.path.strip("/").split("/")[0] or "common"
    authority = base if own else f"https://{host}"
    document: Dict[str, Any] = {
        "tenant_discovery_endpoint": f"{authority}/{tenant}/v2.0/.well-known/openid-configuration"
    }
    if api_version != "1.0":
        document["api-version"] = "1.1"
        document["metadata"] = [*_own_metadata(parts.netloc.lower(), addresses), *_cloud_metadata()]
    return document


def user_realm(user: str, domains: List[str]) -> Dict[str, Any]:
    """What kind of account `user` has: Managed in a known domain, Unknown otherwise."""
    domain = user.rpartition("@")[2].lower()
    realm: Dict[str, Any] = {"ver": "1.0", "cloud_instance_name": "microsoftonline.com"}
    if "@" in user and domain in domains:
        realm.update(account_type="Managed", domain_name=domain, cloud_audience_urn="urn:federation:MicrosoftOnline")
    else:
        realm.update(account_type="Unknown")
    return realm


def federated_user_realm(base: str, user: str) -> Dict[str, Any]:
    """The same for an account of another identity provider, which would be found at these URLs."""
    provider = f"{base}/adfs/services/trust"
    return {
        "ver": "1.0",
        "account_type": "Federated",
        "domain_name": user.rpartition("@")[2].lower(),
        "cloud_instance_name": "microsoftonline.com",
        "cloud_audience_urn": "urn:federation:MicrosoftOnline",
        "federation_protocol": "WSTrust",
        "federation_metadata_url": f"{provider}/mex",
        "federation_active_auth_url": f"{provider}/2005/usernamemixed",
    }


def _own_metadata(netloc: str, addresses: Addresses) -> List[Dict[str, Any]]:
    host, port = _host_and_port(netloc)
    if host in well_known.LOGIN_HOSTS:
        return []
    aliases = [netloc, *(_netloc(name, port) for name in sorted(addresses.hosts) if _netloc(name, port) != netloc)]
    return [{"preferred_network": netloc, "preferred_cache": netloc, "aliases": aliases}]


def _cloud_metadata() -> List[Dict[str, Any]]:
    return [
        {"preferred_network": cloud.network, "preferred_cache": cloud.cache, "aliases": list(cloud.aliases)}
        for cloud in well_known.CLOUDS
    ]


def _host_and_port(netloc: str) -> Tuple[str, Optional[int]]:
    parts = urlsplit(f"//{netloc}")
    return parts.hostname or "", parts.port


def _netloc(host: str, port: Optional[int]) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"
