"""An API that checks bearer tokens as a real one must: signature, issuer, audience, times, roles (RFC 6750)."""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, Callable, Dict, FrozenSet, Mapping, Optional, Sequence

import jwt

from ..directory.directory import Tenant, identifier_key
from ..keys.signing import SigningKey
from ..tokens.access_tokens import v1_issuer, v2_issuer
from ..values.clock import Clock
from ..values.settings import Settings

_SKEW = 0
"""The emulator shares its clock with its token service, so it allows none."""


class InvalidTokenError(Exception):
    """The request has no token, or not a good one. The text never holds the token."""


class MissingRoleError(Exception):
    """The token is good, but does not carry a role that is needed."""


@dataclass(frozen=True)
class Caller:
    """Who called, as the token says."""

    app_id: str
    object_id: str
    tenant_id: str
    roles: Sequence[str]
    claims: Mapping[str, Any]

    def as_json(self) -> Dict[str, Any]:
        """What the protected resource tells its caller about the caller."""
        about = {"appid": self.app_id, "oid": self.object_id, "tid": self.tenant_id, "roles": list(self.roles)}
        if "scp" in self.claims:  # a person's token
            about["scp"] = self.claims["scp"]
            about["username"] = self.claims.get("preferred_username") or self.claims.get("unique_name", "")
        return about


class TokenVerifier:
    """Checks tokens against the keys, tenants and clock of one emulator."""

    def __init__(
        self, key: SigningKey, clock: Clock, settings: Settings, find_tenant: Callable[[str], Optional[Tenant]]
    ) -> None:
        self._key = key
        self._clock = clock
        self._settings = settings
        self._find_tenant = find_tenant

    def caller(self, authorization: str, audiences: Sequence[str], roles: FrozenSet[str] = frozenset()) -> Caller:
        """The caller behind an Authorization header.

        :param audiences: identifiers of the API; the token must be for one of them.
        :param roles: app roles the caller must have, all of them.
        :raises InvalidTokenError: no token, or not one for here and now.
        :raises MissingRoleError: a role is missing.
        """
        claims = self._claims(_bearer(authorization))
        self._check_issuer(claims)
        audience = claims.get("aud")
        if not isinstance(audience, str) or identifier_key(audience) not in map(identifier_key, audiences):
            raise InvalidTokenError(f"The audience of the token is invalid; expected {audiences[0]}.")
        now = self._clock.now()
        if now >= claims["exp"] + _SKEW:
            raise InvalidTokenError("The token is expired.")
        if now < claims["nbf"] - _SKEW:
            raise InvalidTokenError("The token is not valid yet.")
        granted = claims.get("roles", [])
        missing = sorted(roles.difference(granted))
        if missing:
            raise MissingRoleError(f"The caller needs the role {missing[0]}.")
        return Caller(
            str(claims.get("appid") or claims.get("azp")), str(claims["oid"]), str(claims["tid"]), granted, claims
        )

    def _claims(self, token: str) -> Dict[str, Any]:
        try:
            if jwt.get_unverified_header(token).get("kid") != self._key.kid:
                raise InvalidTokenError("The token was signed with an unknown key.")
            return jwt.decode(
                token,
                self._key.private_key.public_key(),
                algorithms=["RS256"],
                options={
                    "verify_exp": False,  # checked against the emulator's clock
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                    "require": ["exp", "nbf", "iss", "aud", "tid", "oid"],
                },
            )
        except (jwt.PyJWTError, UnicodeError) as error:
            raise InvalidTokenError(f"The token is invalid ({type(error).__name__}).") from error

    def _check_issuer(self, claims: Mapping[str, Any]) -> None:
        tenant_id = str(claims["tid"])
        known = self._find_tenant(tenant_id) is not None or not self._settings.strict
        issuers = (v1_issuer(self._settings.issuer_v1, tenant_id), v2_issuer(self._settings.issuer_v2, tenant_id))
        if not known or claims["iss"] not in issuers:
            raise InvalidTokenError("The issuer of the token is invalid.")


def challenge(authorization_uri: str, error: str, description: str) -> str:
    """A WWW-Authenticate header (RFC 6750, section 3)."""
    return f'Bearer authorization_uri="{authorization_uri}", error="{error}", error_description="{description}"'


def claims_challenge(claims: Mapping[str, Any], *, authorization_uri: str = "", client_id: str = "") -> str:
    """A WWW-Authenticate header that asks for a new token with `claims`.

    "Claims challenges, claims requests and client capabilities": error `insufficient_claims`, the claims in base64.
    """
    encoded = base64.b64encode(json.dumps(claims).encode()).decode()
    return (
        f'Bearer realm="", authorization_uri="{authorization_uri}", client_id="{client_id}", '
        f'error="insufficient_claims", claims="{encoded}"'
    )


def chat_completion(deployment: str, body: Any) -> Dict[str, Any]:
    """The answer of a chat model that repeats what the user said last.

    :raises ValueError: the body is no chat completion request.
    """
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise ValueError("'messages' must be a non-empty list of objects.")
    if body.get("stream"):
        raise ValueError("'stream' is not supported by this emulator.")
    said = next((_text(one) for one in reversed(messages) if one.get("role") == "user"), "")
    reply = f"You said: {said}"
    prompt_tokens = sum(len(_text(one).split()) for one in messages)
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": deployment,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": reply, "refusal": None},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": len(reply.split()),
            "total_tokens": prompt_tokens + len(reply.split()),
        },
    }


def _bearer(authorization: str) -> str:
    if not authorization:
        raise InvalidTokenError("The authentication failed because of a missing 'Authorization' header.")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidTokenError("The authentication scheme is not Bearer.")
    return token.strip()


def _text(message: Mapping[str, Any]) -> str:
    """The text of a message: a string, or parts of which some have text."""
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict)).strip()
    return str(content or "")
