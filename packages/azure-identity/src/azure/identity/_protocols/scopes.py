"""Scopes, resources and claims."""

from __future__ import annotations

import json
from typing import Optional, Sequence

CAE_CAPABILITY = "CP1"
"""Tells the authority that the client can handle claims challenges ("Claims challenges and client capabilities")."""


def validate_scopes(scopes: Sequence[object], method: str) -> tuple[str, ...]:
    """The scopes as a tuple of strings.

    :raises ValueError: there are none, or one is blank.
    :raises TypeError: one is not a string.
    """
    if not scopes:
        raise ValueError(f'"{method}" requires at least one scope, such as "https://vault.azure.net/.default".')
    for scope in scopes:
        if not isinstance(scope, str):
            hint = f' Pass several as {method}("a", "b").' if isinstance(scope, (list, tuple, set)) else ""
            raise TypeError(f'"{method}" takes scopes as strings, but got {type(scope).__name__}.{hint}')
        if not scope.strip():
            raise ValueError(f'"{method}" was given a blank scope.')
    return tuple(scopes)  # type: ignore[arg-type]


def canonical_scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    """Equal for requests that ask for the same: sorted, without duplicates. Case matters."""
    return tuple(sorted(set(scopes)))


class OneScopeOnly(ValueError):
    """A credential that can ask for one resource at a time was asked for several scopes. A chain passes over it."""


def resource_of(scopes: Sequence[str]) -> str:
    """The resource that exactly one scope stands for: the scope without one trailing `/.default`.

    :raises OneScopeOnly: there is not exactly one scope.
    """
    if len(scopes) != 1:
        raise OneScopeOnly(f"This credential requires exactly one scope per token request, but got {len(scopes)}.")
    scope = scopes[0]
    return scope[: -len("/.default")] if scope.endswith("/.default") else scope


def merged_claims(claims: Optional[str], cae: bool) -> Optional[str]:
    """The `claims` parameter: a caller's challenge, with the capability for continuous access evaluation if it has it.

    :raises ValueError: the challenge is not a JSON object.
    """
    if not cae:
        return claims or None
    document = parse_claims(claims) if claims else {}
    access_token = document.setdefault("access_token", {})
    if not isinstance(access_token, dict):
        access_token = document["access_token"] = {}
    access_token["xms_cc"] = {"values": [CAE_CAPABILITY]}
    return json.dumps(document)


def combined_claims(challenge: Optional[str], further: Optional[str]) -> Optional[str]:
    """Two claims challenges as one that asks for what both do. What is not a JSON object asks for nothing."""
    documents = []
    for claims in (challenge, further):
        try:
            documents.append(parse_claims(claims) if claims else {})
        except ValueError:
            documents.append({})
    first, second = documents
    if not second or first == second:
        return challenge
    if not first:
        return further
    merged = dict(first)
    for name, wanted in second.items():
        before = merged.get(name)
        both = isinstance(before, dict) and isinstance(wanted, dict)
        merged[name] = {**before, **wanted} if both else wanted  # type: ignore[dict-item]
    return json.dumps(merged)


def parse_claims(claims: str) -> dict[str, object]:
    """The claims challenge as an object.

    :raises ValueError: it is not a JSON object.
    """
    try:
        document = json.loads(claims)
    except (TypeError, ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError("claims must be a JSON object, as decoded from the challenge's 'claims' parameter.")
    return document
