"""The tokens that hosts hand out, and the caches in front of them.

A host's back end asks Entra only when its cache has nothing: a role granted a minute ago is not in the token yet. That
is how the real ones behave, and what surprises their users.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from ..directory.directory import Resource, derived_id
from ..endpoints.realm import Realm
from ..tokens.access_tokens import ASSERTION, AccessToken, Grant, fresh_marks, v1_issuer
from ..values.settings import Lifetime
from .identities import ManagedIdentity

# Cloud Shell and compute instances act for the person who has opened them, through the portal's application.
_PORTAL = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"
PORTAL_USER = "user"
"""The person's name before the tenant's domain."""
_USER_LIFETIME = 3600


class UnknownResourceError(LookupError):
    """The tenant has no such resource."""


@dataclass(frozen=True)
class _Kept:
    token: AccessToken
    until: int


class TokenSource:
    """Tokens for a host's identities.

    :param keep: how long, in seconds, the host repeats a token instead of making a new one: 0 never, None as long as
        the token lives.
    :param lifetime: of the tokens, in seconds. None takes the identity's: a day.
    """

    def __init__(self, realm: Realm, *, keep: Optional[int], lifetime: Optional[Lifetime] = None) -> None:
        self._realm = realm
        self._keep = keep
        self.lifetime = lifetime
        self._lock = threading.Lock()
        self._kept: Dict[Tuple[str, ...], _Kept] = {}

    def forget(self) -> None:
        """Empty the cache."""
        with self._lock:
            self._kept.clear()

    def token(
        self, identity: ManagedIdentity, resource: str, *, capabilities: Tuple[str, ...] = (), rejected: str = ""
    ) -> AccessToken:
        """A token of `identity` for `resource`, from the cache if it has one.

        :keyword rejected: the SHA-256 of a token, in hexadecimal. A cached token of that hash is not used again.
        :raises UnknownResourceError: the tenant has no such resource.
        """
        key = (identity.client_id, resource, *capabilities)
        now = self._realm.clock.now()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and now < kept.until and token_hash(kept.token.value) != rejected.lower():
                return kept.token
            token = self._fresh(identity, resource, capabilities)
            until = token.expires_on if self._keep is None else min(now + self._keep, token.expires_on)
            self._kept[key] = _Kept(token, until)
            return token

    def user_token(self, resource: str, tenant_id: str) -> AccessToken:
        """A token of the person who uses the host, for any resource. Never from the cache."""
        now = self._realm.clock.now()
        tenant = self._realm.tokens.tenant(tenant_id)
        name = f"{PORTAL_USER}@{tenant.domain}"
        object_id = derived_id("user", tenant.id, name)
        issuer = v1_issuer(self._realm.settings.issuer_v1, tenant.id)
        claims = {
            "aud": resource,
            "iss": issuer,
            "iat": now,
            "nbf": now,
            "exp": now + _USER_LIFETIME,
            "appid": _PORTAL,
            "appidacr": ASSERTION,
            "idp": issuer,
            "idtyp": "user",
            "name": PORTAL_USER,
            "oid": object_id,
            "scp": "user_impersonation",
            "sub": object_id,
            "tid": tenant.id,
            "unique_name": name,
            "upn": name,
            "ver": "1.0",
            **fresh_marks(),
        }
        return AccessToken(self._realm.signing_key.sign(claims, with_x5t=True), now, now, now + _USER_LIFETIME)

    def resource(self, name: str) -> Resource:
        """The API of this identifier. :raises UnknownResourceError: the tenant has no such resource."""
        found = self._realm.directory.resource(name)
        if found is not None:
            return found
        if self._realm.settings.strict:
            raise UnknownResourceError(name)
        return Resource(derived_id("api", name), (name,))

    def _fresh(self, identity: ManagedIdentity, name: str, capabilities: Tuple[str, ...]) -> AccessToken:
        resource = self.resource(name)
        principal = identity.principal
        if self.lifetime is not None:
            principal = dataclasses.replace(principal, token_lifetime=self._realm.issuer.choose(self.lifetime))
        tenant = self._realm.tokens.tenant(principal.tenant_id)
        # Azure holds a certificate for every managed identity.
        return self._realm.issuer.issue(Grant(tenant, principal, resource, name, ASSERTION, capabilities))


def token_hash(token: str) -> str:
    """How `token_sha256_to_refresh` names a token: SHA-256 of its text, in lower-case hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()
