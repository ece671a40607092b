"""The `claims` parameter: what a client asks to be in its token ("Claims challenges, claims requests and client
capabilities"; OpenID Connect Core, section 5.5)."""

from __future__ import annotations

import json
from typing import Any, Collection, Dict, List, Mapping, Optional

from ..values.errors import aadsts

CAPABILITIES = "xms_cc"
AUTHENTICATION_CONTEXTS = "acrs"
POLICIES = "capolids"
"""Names of Conditional Access policies that a client is told to satisfy."""
NOT_BEFORE = "nbf"


def parse_claims_request(text: str) -> Dict[str, Any]:
    """The members of `access_token` in a claims parameter. Empty text asks for nothing.

    :raises EntraError: AADSTS9000410, it is not a JSON object.
    """
    if not text:
        return {}
    try:
        claims = json.loads(text)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise aadsts(9000410, name="claims")
    members = claims.get("access_token")
    return members if isinstance(members, dict) else {}


def values_of(member: object) -> List[str]:
    """The values that a requested claim may have: its `value`, or its `values`."""
    if not isinstance(member, dict):
        return []
    values = member.get("values")
    found = values if isinstance(values, list) else [member["value"]] if "value" in member else []
    return [str(one) for one in found if isinstance(one, (str, int)) and not isinstance(one, bool)]


def not_before(requested: Mapping[str, Any]) -> Optional[int]:
    """Epoch seconds since when the token is to be valid at the earliest, or None."""
    values = [int(one) for one in values_of(requested.get(NOT_BEFORE)) if one.isdecimal() and len(one) < 13]
    return max(values) if values else None


def granted_claims(requested: Mapping[str, Any], names: Collection[str]) -> Dict[str, Any]:
    """What becomes of a request in the token: only `names` may be asked for.

    Authentication contexts are a list, as in Entra's tokens; other claims have their first value, or `true`.
    """
    granted: Dict[str, Any] = {}
    for name in names:
        if name in requested:
            values = values_of(requested[name])
            granted[name] = values if name == AUTHENTICATION_CONTEXTS else values[0] if values else True
    return granted


def is_met(claims: Mapping[str, Any], required: Mapping[str, Any]) -> bool:
    """Whether a token's claims have what `required` (members of `access_token`) asks for."""
    return all(_has(claims, name, member) for name, member in required.items() if name != CAPABILITIES)


def _has(claims: Mapping[str, Any], name: str, member: object) -> bool:
    if name not in claims:
        return False
    values = values_of(member)
    if name == NOT_BEFORE:
        start = not_before({name: member})
        return start is None or int(claims[name]) >= start
    held = claims[name] if isinstance(claims[name], list) else [claims[name]]
    return not values or any(str(one) in values for one in held)
