"""Conditional Access: what an API or an app asks for beyond a password."""

from __future__ import annotations

import json
import threading
from typing import Any, Dict, FrozenSet, Mapping, Optional, Set

from ..directory.directory import derived_id
from .claims_requests import AUTHENTICATION_CONTEXTS, NOT_BEFORE, POLICIES, is_met, values_of

_EVERY_APP = "every app"


class ConditionalAccess:
    """The policies in force. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mfa: Set[str] = set()
        self._claims: Dict[str, Mapping[str, Any]] = {}

    def clear(self) -> None:
        """Remove all."""
        with self._lock:
            self._mfa.clear()
            self._claims.clear()

    def require_mfa(self, app_id: str) -> None:
        """Ask for a second factor for this API or client app."""
        with self._lock:
            self._mfa.add(app_id.lower())

    def require_claims(self, app_id: str, members: Mapping[str, Any]) -> None:
        """Let this API ask for `members` of `access_token` in the tokens it gets."""
        with self._lock:
            self._claims[app_id.lower()] = members

    def mfa_challenge(self, user_needs_it: bool, *app_ids: str) -> Optional[str]:
        """The claims challenge that leads to a second factor, as JSON text; None if none is needed.

        :param user_needs_it: whether the user does for every app.
        :param app_ids: the API and the client app.
        """
        with self._lock:
            found = [one.lower() for one in app_ids if one.lower() in self._mfa]
        if user_needs_it:
            found.append(_EVERY_APP)
        if not found:
            return None
        policies = [_policy(one) for one in found]
        return json.dumps({"access_token": {POLICIES: {"essential": True, "values": policies}}}, separators=(",", ":"))

    def asks_for_mfa(self, requested: Mapping[str, Any]) -> bool:
        """Whether a claims request answers a challenge for a second factor."""
        with self._lock:
            known = {_policy(one) for one in (*self._mfa, _EVERY_APP)}
        return not known.isdisjoint(values_of(requested.get(POLICIES)))

    def grantable(self, app_id: str) -> FrozenSet[str]:
        """Names of claims that a client may ask for in a token for this API."""
        with self._lock:
            required = self._claims.get(app_id.lower(), {})
        return frozenset({AUTHENTICATION_CONTEXTS, *required}) - {NOT_BEFORE}

    def unmet(self, app_id: str, claims: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
        """The claims challenge of this API to a token with `claims`; None if they do."""
        with self._lock:
            required = self._claims.get(app_id.lower())
        return None if required is None or is_met(claims, required) else {"access_token": dict(required)}


def _policy(name: str) -> str:
    return derived_id("mfa-policy", name)
