"""OIDC tokens of build agents, which serve as client assertions.

Sources: Azure DevOps REST API, "Oidctoken - Create" (api-version 7.1); GitHub documentation, "OpenID Connect
reference".
"""

from __future__ import annotations

from typing import Optional
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from .._values.messages import Request, Response
from .._values.redaction import redacted
from .entra import content_type, json_object

EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
"""The audience Microsoft Entra ID recommends for federated credentials."""


class NoOidcToken(Exception):
    """The agent's endpoint did not hand out a token. The text shows no secret."""


def pipelines_request(uri: str, service_connection_id: str, system_access_token: str) -> Request:
    """Ask Azure Pipelines for a token of a service connection."""
    parts = urlsplit(uri)
    query = urlencode([("api-version", "7.1"), ("serviceConnectionId", service_connection_id)])
    if parts.query:
        query = f"{parts.query}&{query}"
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {system_access_token}",
        # A bad token is then answered by 401 instead of a redirect to a sign-in page.
        "X-TFS-FedAuthRedirect": "Suppress",
    }
    url = urlunsplit(parts._replace(path=parts.path.rstrip("/"), query=query, fragment=""))
    return Request("POST", url, headers)


def github_request(uri: str, request_token: str, audience: str) -> Request:
    """Ask GitHub Actions for a token of the running job."""
    parts = urlsplit(uri)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "audience"]
    url = urlunsplit(parts._replace(query=urlencode([*query, ("audience", audience)])))
    return Request("GET", url, {"Authorization": f"Bearer {request_token}", "Accept": "application/json"})


def parse_oidc(response: Response, member: str, *secrets: str) -> str:
    """The token in the answer's `member`.

    :raises NoOidcToken: the answer has none; the text says status and, shortened and redacted, what it has instead.
    """
    if response.status == 200:
        body = json_object(response.body)
        token = (body or {}).get(member)
        if isinstance(token, str) and token:
            return token
        if body is not None:
            raise NoOidcToken(f"OIDC token not found in response: it has no '{member}'{_excerpt(response, *secrets)}")
    raise NoOidcToken(
        f"Unexpected response from OIDC token endpoint: HTTP {response.status} ({content_type(response)})"
        f"{_excerpt(response, *secrets)}"
    )


def _excerpt(response: Response, *secrets: str) -> str:
    """How the answer begins, as the end of a sentence."""
    text = redacted(" ".join(response.body[:4000].decode("utf-8", "replace").split()), *secrets, limit=1000)
    return f": {text.rstrip('.')}." if text else "."


def endpoint_problem(uri: Optional[str]) -> Optional[str]:
    """What is wrong with an endpoint a build agent names, or None."""
    if not uri:
        return "is not set"
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    local = host in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        return "is not an https URL"
    return None if host else "has no host"
