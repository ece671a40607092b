"""What requests to hosts have in common: parameters that may appear once, the guard header, and the way to say no."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from multidict import MultiMapping

from .face import Refusal

Selector = Tuple[str, str]
"""Which kind of id a request names an identity by (`client_id`, `object_id`, `resource_id`), and the id."""


def selectors(query: Mapping[str, str], names: Mapping[str, str]) -> List[Selector]:
    """The identities a request names, by the kinds that `names` has for the parameters. Empty values do not count."""
    return [(kind, query[name]) for name, kind in names.items() if query.get(name)]


def repeated(query: MultiMapping[str]) -> Optional[str]:
    """A parameter that `query` has more than once, or None."""
    return next((name for name in query if len(query.getall(name)) > 1), None)


def oauth_error(error: str, description: str) -> Dict[str, Any]:
    """An error body as IMDS and Azure Arc have it."""
    return {"error": error, "error_description": description}


def invalid(description: str, error: str = "invalid_request", status: int = 400) -> Refusal:
    """A refusal in the words of IMDS and Azure Arc."""
    return Refusal(status, oauth_error(error, description))


def status_error(status: int, message: str, correlation_id: str) -> Dict[str, Any]:
    """An error body as App Service has it."""
    return {"statusCode": status, "message": message, "correlationId": correlation_id}
