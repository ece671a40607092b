"""What is logged, and what is not.

Logger `azure.identity` is the parent of all loggers here. A successful or failed token request is one record of INFO or
WARNING (DEBUG inside a chain, which reports for its members); cache hits and the claims that identify a token are
DEBUG. Tokens, secrets, assertions, passwords and claims challenges are logged at no level; account names and ids only
at DEBUG.

`AZURE_LOG_LEVEL` sets the level of `azure.identity` when the package is imported. So that something is seen then,
records go to standard error if, when they are made, the program has no logging handler of its own for them.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Optional

from .._values import settings
from .._values.messages import ALONE

if TYPE_CHECKING:
    from .._values.messages import Token, TokenRequest

LOGGER = logging.getLogger("azure.identity")

_LEVELS = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "verbose": logging.DEBUG,
}


class FallbackHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error as long as the program has no handler of its own."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if len(LOGGER.handlers) == 1 and not logging.getLogger("azure").handlers and not logging.getLogger().handlers:
            self.stream = sys.stderr
            super().emit(record)


def configure_from_environment() -> None:
    """Apply AZURE_LOG_LEVEL, if it is set. An unknown value is one warning, never an error."""
    value = settings.read(settings.LOG_LEVEL)
    if value is None:
        return
    level = _LEVELS.get(value.lower())
    if level is None:
        LOGGER.warning("%s is %r; expected one of %s.", settings.LOG_LEVEL, value, ", ".join(_LEVELS))
        return
    LOGGER.setLevel(level)
    if not any(isinstance(handler, FallbackHandler) for handler in LOGGER.handlers):
        LOGGER.addHandler(FallbackHandler())


def log_success(logger: logging.Logger, who: str, ask: TokenRequest, token: Optional[Token]) -> None:
    """A token was acquired."""
    logger.log(logging.INFO if ask.context == ALONE else logging.DEBUG, "%s.%s succeeded", who, ask.method)
    if token is not None and logger.isEnabledFor(logging.DEBUG):
        logger.debug("[Authenticated account] %s", describe_token(token.token))


def log_failure(logger: logging.Logger, who: str, ask: TokenRequest, error: BaseException) -> None:
    """No token was acquired."""
    logger.log(
        logging.WARNING if ask.context == ALONE else logging.DEBUG,
        "%s.%s failed: %s",
        who,
        ask.method,
        error,
        exc_info=error if logger.isEnabledFor(logging.DEBUG) else None,
    )


def describe_token(token: str) -> str:
    """Which application, tenant and account a token names. For DEBUG records: reads it without verifying it."""
    claims = unverified_claims(token)
    return (
        f"Client ID: {claims.get('appid') or claims.get('azp') or 'unknown'}. Tenant ID: "
        f"{claims.get('tid') or 'unknown'}. "
        f"User Principal Name: {claims.get('upn') or 'none'}. Object ID (user): {claims.get('oid') or 'unknown'}"
    )


def unverified_claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, or nothing if it is none."""
    import base64
    import json

    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return {}
    return claims if isinstance(claims, dict) else {}
