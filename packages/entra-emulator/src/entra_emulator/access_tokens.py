"""Access tokens as Entra makes them.

Claims: "Access token claims reference". The format follows the resource, not the endpoint that was asked.
"""

from __future__ import annotations

import base64
import random
import secrets
from dataclasses import dataclass, field
from typing import Any, Dict, Sequence, Tuple

from .clock import Clock
from .directory import App, Resource, Tenant, derived_id
from .keys import SigningKey
from .settings import Lifetime, Settings, choose

SECRET = "1"
"""`appidacr`, `azpacr`: the client authenticated with a secret."""
ASSERTION = "2"
"""`appidacr`, `azpacr`: the client authenticated with a certificate or a federated token."""

# Entra starts validity five minutes early; a few seconds are enough to never be in a client's future.
_EARLY = 5


@dataclass(frozen=True)
class Grant:
    """What a token is made of: who asks, what for, and how the client has proved itself."""

    tenant: Tenant
    app: App
    resource: Resource
    audience: str
    """The resource as the client named it; v1 tokens repeat it in `aud`."""
    authenticated_by: str
    capabilities: Tuple[str, ...] = ()


@dataclass(frozen=True)
class AccessToken:
    """A token and its times in epoch seconds."""

    value: str = field(repr=False)
    issued_at: int
    not_before: int
    expires_on: int


class TokenIssuer:
    """Makes signed tokens."""

    def __init__(self, key: SigningKey, clock: Clock, settings: Settings, dice: random.Random) -> None:
        self._key = key
        self._clock = clock
        self._settings = settings
        self._dice = dice

    def issue(self, grant: Grant) -> AccessToken:
        """An access token for an app that acts for itself."""
        now = self._clock.now()
        expires_on = now + self._lifetime(grant)
        times = {"iat": now - _EARLY, "nbf": now - _EARLY, "exp": expires_on}
        if grant.resource.token_version == 2:
            token = self._key.sign({**v2_claims(grant, self._settings.issuer_v2), **times, **fresh_marks()})
        else:
            claims = {**v1_claims(grant, self._settings.issuer_v1), **times, **fresh_marks()}
            token = self._key.sign(claims, with_x5t=True)
        return AccessToken(token, now, now - _EARLY, expires_on)

    def choose(self, lifetime: Lifetime) -> int:
        """Seconds out of `lifetime`. :raises ValueError: it is not positive, or the range is upside down."""
        return choose(lifetime, self._dice)

    def _lifetime(self, grant: Grant) -> int:
        if grant.app.token_lifetime is not None:
            return grant.app.token_lifetime
        return self.choose(self._settings.cae_token_lifetime if grant.capabilities else self._settings.token_lifetime)


def v1_issuer(base: str, tenant_id: str) -> str:
    """The issuer of v1 tokens. The slash at the end belongs to it."""
    return f"{base}/{tenant_id}/"


def v2_issuer(base: str, tenant_id: str) -> str:
    """The issuer of v2 tokens."""
    return f"{base}/{tenant_id}/v2.0"


def v1_claims(grant: Grant, issuer_base: str) -> Dict[str, Any]:
    """The claims of a v1 token but for its times and random marks."""
    issuer = v1_issuer(issuer_base, grant.tenant.id)
    return {
        "aud": grant.audience,
        "iss": issuer,
        "appid": grant.app.client_id,
        "appidacr": grant.authenticated_by,
        "idp": issuer,
        **_common_claims(grant),
        "ver": "1.0",
    }


def v2_claims(grant: Grant, issuer_base: str) -> Dict[str, Any]:
    """The claims of a v2 token but for its times and random marks."""
    return {
        "aud": grant.resource.app_id,
        "iss": v2_issuer(issuer_base, grant.tenant.id),
        "azp": grant.app.client_id,
        "azpacr": grant.authenticated_by,
        **_common_claims(grant),
        "ver": "2.0",
    }


def fresh_marks() -> Dict[str, str]:
    """Values that tell tokens apart. RS256 is deterministic: without them, two tokens of one second are one token."""
    return {"aio": _random_text(32), "uti": _random_text(16)}


def _common_claims(grant: Grant) -> Dict[str, Any]:
    object_id = grant.app.object_id(grant.tenant)
    claims: Dict[str, Any] = {
        "idtyp": "app",
        "oid": object_id,
        "rh": f"1.{derived_id('rh', grant.tenant.id, grant.resource.app_id).replace('-', '')}.",
        "sub": object_id,
        "tid": grant.tenant.id,
    }
    roles = roles_of(grant.app, grant.resource)
    if roles:
        claims["roles"] = list(roles)
    if grant.capabilities:
        claims["xms_cc"] = list(grant.capabilities)
    if grant.app.managed_resource_id:
        claims["xms_mirid"] = grant.app.managed_resource_id
    return claims


def roles_of(app: App, resource: Resource) -> Sequence[str]:
    """The app roles `app` holds on `resource`."""
    return app.roles.get(resource.app_id, ())


def _random_text(size: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
