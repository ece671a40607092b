"""What the hosts of managed identities have in common on the wire: how an identity is named, how a token reads, and how
a refusal does.

Sources: "How to use managed identities for Azure resources on an Azure VM to acquire an access token", "How to use
managed identities for App Service and Azure Functions", and the formats of `expires_on` that the hosts are known to
send.
"""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Mapping, NamedTuple, Optional, Sequence
from urllib.parse import quote, urlencode

from .._values.messages import Response, Token
from .entra import json_object, whole
from .identities import CLIENT_ID, OBJECT_ID, RESOURCE_ID, Identity
from .lifetimes import default_refresh_on


class NoJson(Exception):
    """An answer that is not JSON: whatever sent it, it was hardly the host."""


class NoToken(Exception):
    """An answer in JSON from which no token can be read."""


class Refusal(NamedTuple):
    """Why a host says it has no token."""

    code: str
    """Its name for the error, such as `invalid_request`; empty if it has none."""
    text: str
    correlation_id: Optional[str] = None

    def __str__(self) -> str:
        return f"({self.code}) {self.text}".strip() if self.code else self.text


# --- requests


def query_url(url: str, fields: Sequence[tuple[str, str]]) -> str:
    """The URL with these fields added to its query, every value percent-encoded (RFC 3986, section 2.1)."""
    base = url.partition("#")[0]
    joint = "" if base.endswith(("?", "&")) else ("&" if "?" in base else "?")
    return base + joint + urlencode(fields, quote_via=quote)


def selector(identity: Identity, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """The fields that name an identity, given what a host calls each kind of id."""
    named = [(names[identity.kind], identity.value)] if identity.kind else []
    return named + list(identity.others)


# --- tokens


def parse_token(response: Response, sent_at: int) -> Token:
    """The token in a success answer.

    `expires_on` is preferred to `expires_in`: it is the token's own `exp`, and clocks of host and program may differ.

    :raises NoJson: the body is not JSON.
    :raises NoToken: it lacks the token or its lifetime. The text shows no value of the body.
    """
    body = body_of(response)
    access_token = body.get("access_token")
    if not isinstance(access_token, str) or not access_token:
        raise NoToken(f"the answer (HTTP {response.status}) has no 'access_token'; its members: {_members(body)}")
    expires_on = expiry(body.get("expires_on"))
    if not expires_on:
        expires_in = whole(body.get("expires_in"))
        if expires_in is None:
            raise NoToken("the answer has a token, but no 'expires_on' or 'expires_in' that can be read")
        expires_on = sent_at + expires_in
    token_type = body.get("token_type")
    return Token(
        access_token,
        expires_on,
        default_refresh_on(sent_at, expires_on, whole(body.get("refresh_in"))),
        token_type if isinstance(token_type, str) and token_type else "Bearer",
    )


def body_of(response: Response) -> dict[str, Any]:
    """The answer's JSON object.

    :raises NoJson: the body is not JSON.
    :raises NoToken: it is JSON, but not an object.
    """
    body = json_object(response.body)
    if body is not None:
        return body
    text = response.body.decode("utf-8-sig", "replace").strip()
    if text == "null" or text[:1] in ("[", '"') or whole(text) is not None:
        raise NoToken(f"the answer (HTTP {response.status}) is not a JSON object")
    raise NoJson


_US_DATE = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}) +(\d{1,2}):(\d{1,2}):(\d{1,2})(?: *([AP]M))?(?: *([+-]\d{2}:?\d{2}|Z))?", re.I
)
_ISO_DATE = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?: *([+-]\d{2}:?\d{2}|Z))?", re.I
)


def expiry(value: object) -> Optional[int]:
    """The time in an `expires_on`, in epoch seconds; None if it cannot be read.

    Hosts send a number, a number as text, a US date (App Service before 2019: 24 hours on Linux, AM and PM on Windows),
    or ISO 8601 with up to nine digits of fraction. A date without an offset is UTC.
    """
    seconds = whole(value)
    if seconds is not None:
        return seconds if seconds >= 0 else None
    if not isinstance(value, str) or len(value) > 64:
        return None
    text = value.strip()
    match = _US_DATE.fullmatch(text)
    if match:
        month, day, year, hour, minute, second = (int(part) for part in match.groups()[:6])
        half, offset = (match[7] or "").upper(), match[8]
        if half:
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if half == "PM" else 0)
    else:
        match = _ISO_DATE.fullmatch(text)
        if not match:
            return None
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        offset = match[7]
    try:
        moment = datetime(year, month, day, hour, minute, second) - _offset(offset)
    except (ValueError, OverflowError):
        return None
    return max(calendar.timegm(moment.timetuple()), 0)


def _offset(text: Optional[str]) -> timedelta:
    if not text or text in ("Z", "z"):
        return timedelta()
    digits = text[1:].replace(":", "")
    distance = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -distance if text[0] == "-" else distance


# What answers call the identity they are about.
_SHOWN_AS: dict[str, tuple[str, ...]] = {
    CLIENT_ID: ("client_id", "clientid"),
    OBJECT_ID: ("object_id", "principal_id", "principalId"),
    RESOURCE_ID: ("msi_res_id", "mi_res_id"),
}


def shown_identity(body: Mapping[str, Any], kind: str) -> Optional[str]:
    """Which identity an answer says its token is for, by this kind of id; None if it does not say."""
    for name in _SHOWN_AS.get(kind, ()):
        value = body.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def same_id(one: str, other: str) -> bool:
    """Whether two ids are the same: case does not matter in any of the kinds, nor slashes around a resource id."""
    return one.strip("/").lower() == other.strip("/").lower()


# --- refusals


def parse_refusal(response: Response) -> Optional[Refusal]:
    """The error in an answer, in any of the forms the hosts use; None if it has none that can be read."""
    body = json_object(response.body)
    if body is None:
        return None
    error = body.get("error")
    if isinstance(error, dict):  # Service Fabric, Cloud Shell
        return Refusal(
            _text(error, "code"),
            _text(error, "message") or _text(error, "code") or "no text",
            _text(error, "correlationId") or _text(body, "correlationId") or None,
        )
    correlation_id = _text(body, "correlation_id") or _text(body, "correlationId") or None
    description = _text(body, "error_description") or _text(body, "message") or _text(body, "Message")
    if isinstance(error, str) and error:
        if description:
            return Refusal(error, description, correlation_id)
        # A name has no blanks: "Bad request. api-version is invalid ..." is a text.
        return Refusal("", error, correlation_id)
    if description:  # App Service: {"statusCode": 400, "message": "..."}
        return Refusal("", description, correlation_id)
    return None


_NO_SUCH_IDENTITY = re.compile(
    r"identity (?:was )?not found|identity[^.]{0,60} (?:is not|isn't|not) assigned|no [^.]{0,60}identity found|"
    r"no identity|ManagedIdentityNotFound",
    re.I,
)


def says_no_such_identity(response: Response) -> bool:
    """Whether a host refuses because it does not have the identity that was asked for."""
    refusal = parse_refusal(response) if response.status in (400, 404) else None
    return refusal is not None and bool(_NO_SUCH_IDENTITY.search(f"{refusal.code} {refusal.text}"))


def wait_asked(response: Response, now: int) -> Optional[float]:
    """Seconds the host asks to wait: Retry-After (RFC 9110, section 10.2.3) in seconds or as a date, or what Azure
    services send in milliseconds."""
    text = response.headers.get("retry-after")
    if text is not None:
        seconds = whole(text)
        if seconds is not None:
            return float(max(seconds, 0))
        try:
            return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
        except (TypeError, ValueError, OverflowError, IndexError):
            return None
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = whole(response.headers.get(name))
        if milliseconds is not None:
            return max(milliseconds, 0) / 1000
    return None


def _members(body: Mapping[str, Any]) -> str:
    return ", ".join(sorted(str(name) for name in body)) or "none"


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value.strip() if isinstance(value, str) else ""
