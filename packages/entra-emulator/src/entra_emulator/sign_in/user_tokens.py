"""Tokens that are about a person: access tokens with delegated permissions, and id tokens.

Claims: "Access token claims reference", "ID token claims reference".
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, Mapping, Optional, Tuple

from ..directory.directory import App, Resource, Tenant, derived_id
from ..directory.users import User
from ..tokens.access_tokens import AccessToken, TokenIssuer, v1_issuer, v2_issuer
from ..values.settings import Settings
from .permissions import EMAIL, PROFILE

_ID_TOKEN_LIFETIME = 3600


@dataclass(frozen=True)
class UserGrant:
    """What a person's access token is made of."""

    tenant: Tenant
    app: App
    resource: Resource
    audience: str
    """The API as the client named it; v1 tokens repeat it in `aud`."""
    authenticated_by: str
    """How the client has proved itself, as `appidacr` has it."""
    user: User
    scopes: Tuple[str, ...]
    methods: Tuple[str, ...]
    """How the person has signed in (`amr`)."""
    capabilities: Tuple[str, ...] = ()
    extra_claims: Mapping[str, Any] = field(default_factory=dict)
    not_before: Optional[int] = None


class UserTokenIssuer:
    """Makes signed tokens about people."""

    def __init__(self, issuer: TokenIssuer, settings: Settings) -> None:
        self._issuer = issuer
        self._settings = settings

    def access_token(self, grant: UserGrant) -> AccessToken:
        """An access token for a person who uses an app."""
        version = grant.resource.token_version
        return self._issuer.seal(
            {**grant.extra_claims, **access_claims(grant, self._settings)},
            version=version,
            lifetime=self._issuer.lifetime(grant.app, grant.capabilities),
            not_before=grant.not_before,
            holder=grant.user.home_account_id if grant.capabilities else "",
        )

    def id_token(
        self, tenant: Tenant, app: App, user: User, oidc: FrozenSet[str], *, version: int, nonce: str = ""
    ) -> str:
        """An id token for `app` (OpenID Connect Core, section 2).

        :param oidc: which of openid, profile and email were asked for.
        :keyword nonce: of the authorization request.
        """
        claims = id_claims(tenant, app, user, oidc, version=version, settings=self._settings)
        if nonce:
            claims["nonce"] = nonce
        return self._issuer.seal(claims, version=version, lifetime=_ID_TOKEN_LIFETIME).value


def access_claims(grant: UserGrant, settings: Settings) -> Dict[str, Any]:
    """The claims of an access token but for its times and random marks."""
    tenant, user = grant.tenant, grant.user
    first = v1_issuer(settings.issuer_v1, tenant.id)
    claims: Dict[str, Any] = {
        # In v2 tokens an optional claim; on-behalf-of requests are judged by it.
        "amr": list(grant.methods),
        "idtyp": "user",
        "name": user.display_name,
        "oid": user.object_id_in(tenant.id),
        "rh": f"1.{derived_id('rh', tenant.id, grant.resource.app_id).replace('-', '')}.",
        "scp": " ".join(grant.scopes),
        "sub": pairwise_subject(tenant, user, grant.resource.app_id),
        "tid": tenant.id,
    }
    if user.tenant_id != tenant.id:
        claims["idp"] = v1_issuer(settings.issuer_v1, user.tenant_id)
    if grant.capabilities:
        claims["xms_cc"] = list(grant.capabilities)
    if grant.resource.token_version == 2:
        return {
            "aud": grant.resource.app_id,
            "iss": v2_issuer(settings.issuer_v2, tenant.id),
            "azp": grant.app.client_id,
            "azpacr": grant.authenticated_by,
            "preferred_username": user.username,
            **claims,
            "ver": "2.0",
        }
    return {
        "aud": grant.audience,
        "iss": first,
        "acr": "1",
        "appid": grant.app.client_id,
        "appidacr": grant.authenticated_by,
        "unique_name": user.username,
        "upn": principal_name(tenant, user),
        **claims,
        "ver": "1.0",
    }


def id_claims(
    tenant: Tenant, app: App, user: User, oidc: FrozenSet[str], *, version: int, settings: Settings
) -> Dict[str, Any]:
    """The claims of an id token but for its times, nonce and random marks."""
    claims: Dict[str, Any] = {
        "aud": app.client_id,
        "iss": v2_issuer(settings.issuer_v2, tenant.id) if version == 2 else v1_issuer(settings.issuer_v1, tenant.id),
        "sub": pairwise_subject(tenant, user, app.client_id),
        "tid": tenant.id,
        "ver": f"{version}.0",
    }
    if user.tenant_id != tenant.id:
        claims["idp"] = v1_issuer(settings.issuer_v1, user.tenant_id)
    if EMAIL in oidc:
        claims["email"] = user.username
    if version == 1:
        claims["unique_name"] = user.username
        claims["upn"] = principal_name(tenant, user)
    if PROFILE in oidc:
        claims["name"] = user.display_name
        claims["oid"] = user.object_id_in(tenant.id)
        if version == 2:
            claims["preferred_username"] = user.username
    return claims


def pairwise_subject(tenant: Tenant, user: User, app_id: str) -> str:
    """`sub`: another one for each app, so that apps cannot compare notes (OpenID Connect Core, section 8.1)."""
    text = "/".join((tenant.id, user.object_id_in(tenant.id), app_id.lower()))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def principal_name(tenant: Tenant, user: User) -> str:
    """`upn`. That of guests is made of their name at home."""
    if user.tenant_id == tenant.id:
        return user.username
    return f"{user.username.replace('@', '_')}#EXT#@{tenant.domain}"


def client_info(user: User) -> str:
    """The `client_info` of an answer: the account's id in its home, whatever tenant the token is for."""
    text = json.dumps({"uid": user.object_id, "utid": user.tenant_id}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
