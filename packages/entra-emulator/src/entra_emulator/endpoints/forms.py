"""Reading requests: form fields, and HTTP Basic credentials."""

from __future__ import annotations

import base64
import binascii
from typing import List, Optional, Tuple
from urllib.parse import parse_qsl, unquote_plus

from ..tokens.token_request import Credentials
from ..values.errors import aadsts

_MOST_FIELDS = 100


def parse_form(body: bytes) -> List[Tuple[str, str]]:
    """Names and values of a form. :raises EntraError: AADSTS9002313, it is none."""
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except (UnicodeError, ValueError) as error:
        raise aadsts(9002313, reason="The body is not a form in UTF-8.") from error


def duplicates(form: List[Tuple[str, str]]) -> Tuple[str, ...]:
    """Names that `form` has more than once, which RFC 6749, section 3.2 forbids."""
    names = [name for name, _ in form]
    return tuple(sorted({name for name in names if names.count(name) > 1}))


def parse_basic(authorization: str) -> Optional[Credentials]:
    """Client id and secret of a Basic Authorization header, or None.

    :raises EntraError: AADSTS9002313, the header is broken.
    """
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise aadsts(9002313, reason="The Authorization header is not valid.") from error
    if not (name and colon):
        raise aadsts(9002313, reason="The Authorization header has no client id.")
    return unquote_plus(name), unquote_plus(secret)  # RFC 6749, section 2.3.1
