"""What developer tools print: tokens, and reasons why there is none.

Formats: Azure CLI documentation and release notes of `az account get-access-token` (2.54 added `expires_on`).
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, Optional

from .._values.messages import Token
from .entra import whole


class UnexpectedOutput(Exception):
    """A tool succeeded, but did not print a token that can be read."""


def parse_azure_cli(stdout: str) -> Token:
    """The token in what `az account get-access-token --output json` prints.

    `expires_on` (epoch seconds) is preferred. Before 2.54 there was only `expiresOn`, this machine's local time without
    a zone; some builds print it with one. Notices before the JSON are passed over.

    :raises UnexpectedOutput: there is no token, or no time of expiry, in it.
    """
    for document in json_objects(stdout):
        token = document.get("accessToken")
        if not isinstance(token, str) or not token:
            continue
        expires_on = whole(document.get("expires_on"))
        if expires_on is None:
            expires_on = _epoch(document.get("expiresOn"))
        if expires_on is None:
            raise UnexpectedOutput("the output has a token, but no time of expiry that can be read")
        return Token(token, expires_on)
    raise UnexpectedOutput("the output has no 'accessToken'")


def parse_azd(stdout: str) -> Token:
    """The token in what `azd auth token --output json` prints. `expiresOn` is RFC 3339; without a zone it is UTC.

    :raises UnexpectedOutput: there is no token, or no time of expiry, in it.
    """
    for document in json_objects(stdout):
        token = document.get("token")
        if not isinstance(token, str) or not token:
            continue
        expires_on = _epoch(document.get("expiresOn"), utc=True)
        if expires_on is None:
            raise UnexpectedOutput("the output has a token, but no time of expiry that can be read")
        return Token(token, expires_on)
    raise UnexpectedOutput("the output has no 'token'")


def parse_azd_error(stdout: str, stderr: str) -> Optional[str]:
    """What the Azure Developer CLI says went wrong, in the formats of its versions.

    From 1.24 on it writes an object with `error`; before 1.23.7 a console message with everything; between them both.
    """
    said = None
    for document in json_objects(f"{stdout}\n{stderr}"):
        error = document.get("error")
        if isinstance(error, str) and error.strip():
            return error.strip()
        data = document.get("data")
        message = data.get("message") if isinstance(data, dict) else None
        if said is None and isinstance(message, str) and message.strip():
            said = message.strip()
    return said


def json_objects(text: str) -> list[dict[str, Any]]:
    """Every JSON object in a text, outermost ones only: tools print warnings and notices around them."""
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    position = text.find("{")
    # A text of nothing but braces must not take quadratic time.
    attempts = 0
    while position != -1 and attempts < 1000:
        attempts += 1
        try:
            document, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            if isinstance(document, dict):
                found.append(document)
        position = text.find("{", end)
    return found


def _epoch(value: object, *, utc: bool = False) -> Optional[int]:
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.endswith(("Z", "z")):
        text = text[:-1] + "+00:00"
    # Python before 3.11 reads fractions of exactly 3 or 6 digits only.
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text = f"{head}.{(tail[:digits] + '000000')[:6]}{tail[digits:]}"
    try:
        moment = datetime.fromisoformat(text)
        if utc and moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return int(moment.timestamp())  # without a zone this is local time
    except (ValueError, OverflowError, OSError):
        return None
