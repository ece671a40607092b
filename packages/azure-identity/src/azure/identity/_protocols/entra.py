"""The token endpoint of Microsoft Entra ID: how it is asked, and how its answers read.

Sources: RFC 6749 (OAuth 2.0), RFC 7521 and 7523 (assertions), "Microsoft identity platform and the OAuth 2.0 client
credentials flow", "Microsoft identity platform error codes".
"""

from __future__ import annotations

import json
import re
import sys
from email.utils import parsedate_to_datetime
from typing import Any, Mapping, NamedTuple, Optional, Sequence

from .._values.messages import Request, Response, Token
from .._version import VERSION
from .lifetimes import default_refresh_on
from .scopes import merged_claims

JWT_BEARER_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523, section 2.2."""


class Unusable(Exception):
    """An answer of the token endpoint that is neither a token nor an error one can read."""


class Granted(NamedTuple):
    """A success answer of the token endpoint."""

    token: Token
    body: Mapping[str, Any]
    """All members, secrets among them."""

    def __repr__(self) -> str:
        return f"Granted({self.token!r})"


class Refusal(NamedTuple):
    """An error answer of the token endpoint (RFC 6749, section 5.2, with the members Entra ID adds)."""

    status: int
    error: str
    description: str = ""
    codes: tuple[int, ...] = ()
    suberror: Optional[str] = None
    claims: Optional[str] = None
    correlation_id: Optional[str] = None
    trace_id: Optional[str] = None

    def has(self, *codes: int) -> bool:
        """Whether one of the AADSTS codes is among the answer's."""
        return any(code in self.codes for code in codes)


def client_credentials(client_id: str, scopes: Sequence[str], proof: Mapping[str, str]) -> dict[str, str]:
    """The form of a client credentials grant. `proof` is what `secret_proof` or `assertion_proof` returns."""
    return {"grant_type": "client_credentials", "client_id": client_id, "scope": " ".join(scopes), **proof}


def secret_proof(secret: str) -> dict[str, str]:
    """How an application with a secret proves who it is. In the body: Entra ID knows no other place."""
    return {"client_secret": secret}


def assertion_proof(assertion: str) -> dict[str, str]:
    """How an application with a signed assertion proves who it is."""
    return {"client_assertion_type": JWT_BEARER_ASSERTION, "client_assertion": assertion}


def token_request(
    url: str, form: Mapping[str, str], *, claims: Optional[str], cae: bool, correlation_id: str
) -> Request:
    """A POST to a token endpoint. Empty fields are left out."""
    fields = {name: value for name, value in form.items() if value}
    merged = merged_claims(claims, cae)
    if merged:
        fields["claims"] = merged
    return Request("POST", url, entra_headers(correlation_id), fields)


def entra_headers(correlation_id: str) -> dict[str, str]:
    """Headers every request to an authority carries: what is wanted, who asks, and an id to find the request by."""
    return {
        "Accept": "application/json",
        "client-request-id": correlation_id,
        "return-client-request-id": "true",
        "x-client-sku": "azure-identity-python",
        "x-client-ver": VERSION,
        "x-client-os": sys.platform,
    }


def parse_token(response: Response, sent_at: int) -> Token:
    """The token in a success answer.

    :raises Unusable: the body is not JSON, or lacks the token or its lifetime. The text shows no value of the body.
    """
    body = json_object(response.body)
    if body is None:
        raise Unusable(f"the answer (HTTP {response.status}, {content_type(response)}) is not a JSON object")
    access_token = body.get("access_token")
    if not isinstance(access_token, str) or not access_token:
        names = ", ".join(sorted(str(name) for name in body)) or "none"
        raise Unusable(f"the answer (HTTP {response.status}) has no 'access_token'; its members: {names}")
    expires_on = whole(body.get("expires_on"))
    if expires_on is None:
        expires_in = whole(body.get("expires_in"))
        if expires_in is None:
            raise Unusable("the answer has a token, but neither 'expires_on' nor 'expires_in' as a number")
        expires_on = sent_at + expires_in
    refresh_on = default_refresh_on(sent_at, expires_on, whole(body.get("refresh_in")))
    token_type = body.get("token_type")
    return Token(
        access_token, expires_on, refresh_on, token_type if isinstance(token_type, str) and token_type else "Bearer"
    )


def parse_refusal(response: Response) -> Optional[Refusal]:
    """The error in an answer, or None if it has none that can be read."""
    body = json_object(response.body)
    if body is None:
        return None
    error = body.get("error")
    if isinstance(error, dict):  # OData, as gateways and some hosts send it
        return Refusal(response.status, str(error.get("code") or "error"), str(error.get("message") or ""))
    if not isinstance(error, str) or not error:
        return None
    description = _text(body, "error_description") or ""
    listed = body.get("error_codes")
    codes = [code for code in (whole(item) for item in listed) if code is not None] if isinstance(listed, list) else []
    codes += [int(code) for code in re.findall(r"AADSTS(\d{4,9})", description) if int(code) not in codes]
    return Refusal(
        response.status,
        error,
        description,
        tuple(codes),
        _text(body, "suberror"),
        _text(body, "claims"),
        _text(body, "correlation_id") or response.headers.get("client-request-id"),
        _text(body, "trace_id") or response.headers.get("x-ms-request-id"),
    )


def server_time(response: Response) -> Optional[int]:
    """What the server's clock said (RFC 9110, Date), in epoch seconds."""
    try:
        return int(parsedate_to_datetime(response.headers["date"]).timestamp())
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def retry_after(response: Response) -> Optional[int]:
    """Seconds the server asks to wait, when it says so in seconds (RFC 9110, Retry-After)."""
    seconds = whole(response.headers.get("retry-after"))
    return seconds if seconds is not None and seconds >= 0 else None


def json_object(body: bytes) -> Optional[dict[str, Any]]:
    """The body as a JSON object, or None."""
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except (ValueError, UnicodeDecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def whole(value: object) -> Optional[int]:
    """A number of seconds, however it is spelt: 3599, 3599.0, "3599". None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = int(value) if isinstance(value, (int, float)) else int(float(str(value)))
    except (ValueError, OverflowError):
        return None
    return number if -(10**12) < number < 10**12 else None


def content_type(response: Response) -> str:
    """The answer's media type, for messages."""
    return response.headers.get("content-type", "").partition(";")[0].strip() or "no content type"


def _text(body: Mapping[str, Any], name: str) -> Optional[str]:
    value = body.get(name)
    return value if isinstance(value, str) and value else None
