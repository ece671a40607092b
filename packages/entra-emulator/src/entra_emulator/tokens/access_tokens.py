"""Access tokens as Entra makes them.

Claims: "Access token claims reference". The format follows the resource, not the endpoint that was asked.
"""

from __future__ import annotations

import base64
import random
import secrets
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from ..directory.directory import App, Resource, Tenant, derived_id
from ..keys.signing import SigningKey
from ..values.clock import Clock
from ..values.settings import Lifetime, Settings, choose
from .token_ledger import TokenLedger

PUBLIC = "0"
"""`appidacr`, `azpacr`: a public client, which did not authenticate."""
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
    extra_claims: Mapping[str, Any] = field(default_factory=dict)
    """Claims that were asked for with a claims request. They never replace others."""
    not_before: Optional[int] = None
    """Epoch seconds that a claims request asked for."""


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
        self.ledger = TokenLedger()
        """The tokens that can be called back."""

    def issue(self, grant: Grant) -> AccessToken:
        """An access token for an app that acts for itself."""
        if grant.resource.token_version == 2:
            claims = v2_claims(grant, self._settings.issuer_v2)
        else:
            claims = v1_claims(grant, self._settings.issuer_v1)
        return self.seal(
            {**grant.extra_claims, **claims},
            version=grant.resource.token_version,
            lifetime=self.lifetime(grant.app, grant.capabilities),
            not_before=grant.not_before,
            holder=grant.app.client_id if grant.capabilities else "",
        )

    def seal(
        self,
        claims: Mapping[str, Any],
        *,
        version: int,
        lifetime: int,
        not_before: Optional[int] = None,
        holder: str = "",
    ) -> AccessToken:
        """A signed token of `claims`, with its times and random marks.

        :keyword lifetime: seconds.
        :keyword not_before: epoch seconds the token is valid from at the earliest; the future counts as now.
        :keyword holder: who has it, if it can be called back.
        """
        now = self._clock.now()
        start = max(now - _EARLY, min(not_before or 0, now))
        marks = fresh_marks()
        times = {"iat": start, "nbf": start, "exp": now + lifetime}
        token = self._key.sign({**claims, **times, **marks}, with_x5t=version == 1)
        if holder:
            self.ledger.note(holder, marks["uti"], now + lifetime)
        return AccessToken(token, now, start, now + lifetime)

    def choose(self, lifetime: Lifetime) -> int:
        """Seconds out of `lifetime`. :raises ValueError: it is not positive, or the range is upside down."""
        return choose(lifetime, self._dice)

    def lifetime(self, app: App, capabilities: Sequence[str] = ()) -> int:
        """Seconds that a new access token of `app` lives."""
        if app.token_lifetime is not None:
            return app.token_lifetime
        return self.choose(self._settings.cae_token_lifetime if capabilities else self._settings.token_lifetime)


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
