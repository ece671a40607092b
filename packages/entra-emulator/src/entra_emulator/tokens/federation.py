"""External identity providers: the one the emulator hosts, and those found through OpenID Connect discovery.

Federated tokens come from issuers an app trusts ("Workload identity federation"). The emulator hosts one of its own, at
`/federation/NAME`, which stands for a Kubernetes cluster, a pipeline service and the like. Its key is not the one that
signs access tokens.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import uuid
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import urlsplit

import aiohttp
import jwt

from ..keys.signing import SigningKey
from ..values.addresses import Addresses, is_loopback
from ..values.clock import Clock
from ..values.errors import aadsts

DEFAULT_ISSUER = "default"
DEFAULT_SUBJECT = "system:serviceaccount:default:entra-emulator"

# Entra keeps an issuer's keys for a while; a minute suits tests that roll keys.
_KEEP_KEYS = 60.0
_TIMEOUT = aiohttp.ClientTimeout(total=10)

VerificationKey = Tuple[Optional[str], Any]
"""Key id (None: any) and public key."""


def issuer_url(base: str, name: str = DEFAULT_ISSUER) -> str:
    """The issuer the emulator hosts under `name`. :param base: `scheme://host:port`."""
    return f"{base}/federation/{name}"


def discovery_document(issuer: str) -> Dict[str, Any]:
    """The OpenID Connect discovery document of a hosted issuer."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/keys",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti", "nbf"],
    }


def sign_federated_token(
    key: SigningKey, *, issuer: str, subject: str, audience: str, now: int, lifetime: int, claims: Mapping[str, Any]
) -> str:
    """A token of a hosted issuer. `claims` are added, and win."""
    return key.sign(
        {
            "iss": issuer,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "jti": str(uuid.uuid4()),
            **claims,
        }
    )


class Federation:
    """Finds the keys of issuers.

    :param key: signs for the hosted issuers.
    :param addresses: tells what is hosted here.
    :param tls: makes the TLS context for fetching the keys of other issuers.
    """

    def __init__(
        self, key: SigningKey, clock: Clock, addresses: Callable[[], Addresses], tls: Callable[[], ssl.SSLContext]
    ) -> None:
        self.key = key
        self.clock = clock
        self._addresses = addresses
        self._tls = tls
        self._known: Dict[str, Tuple[float, List[VerificationKey]]] = {}

    def hosts(self, issuer: str) -> bool:
        """Whether the emulator itself hosts `issuer`."""
        return urlsplit(issuer).path.startswith("/federation/") and self._addresses().include(issuer)

    def forget(self) -> None:
        """Drop the keys fetched so far."""
        self._known.clear()

    async def keys(self, issuer: str, kid: Optional[str]) -> Sequence[VerificationKey]:
        """The keys of `issuer`, which an app must trust already: nothing else is ever fetched.

        :raises EntraError: AADSTS50166, they cannot be had.
        """
        if self.hosts(issuer):
            return [(self.key.kid, self.key.private_key.public_key())]
        fetched_at, keys = self._known.get(issuer, (float("-inf"), []))
        if time.monotonic() - fetched_at > _KEEP_KEYS or kid not in [name for name, _ in keys]:
            keys = await self._fetch(issuer)
            self._known[issuer] = (time.monotonic(), keys)
        return keys

    async def _fetch(self, issuer: str) -> List[VerificationKey]:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            document = await self._json(session, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != issuer:
                raise aadsts(50166, reason="The discovery document names another issuer.")
            jwks_uri = document.get("jwks_uri")
            if not isinstance(jwks_uri, str):
                raise aadsts(50166, reason="The discovery document has no 'jwks_uri'.")
            return _parse_keys(await self._json(session, jwks_uri))

    async def _json(self, session: aiohttp.ClientSession, url: str) -> Dict[str, Any]:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise aadsts(50166, reason="Expected an https URL.")
        try:
            async with session.get(url, ssl=self._tls(), allow_redirects=False) as response:
                if response.status != 200:
                    raise aadsts(50166, reason=f"GET {url} returned status {response.status}.")
                document = json.loads(await response.read())
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
            raise aadsts(50166, reason=f"GET {url} failed: {type(error).__name__}.") from error
        if not isinstance(document, dict):
            raise aadsts(50166, reason=f"GET {url} returned no JSON object.")
        return document


def _parse_keys(document: Mapping[str, Any]) -> List[VerificationKey]:
    keys = []
    members = document.get("keys")
    for jwk in members if isinstance(members, list) else []:
        try:
            parsed = jwt.PyJWK.from_dict(jwk, algorithm="RS256")
        except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
            continue  # RFC 7517, section 5: ignore keys that are not understood
        keys.append((parsed.key_id, parsed.key))
    return keys
