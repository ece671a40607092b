"""The network trace that `logging_enable=True` asks for: everything about an exchange but its secrets."""

from __future__ import annotations

import json
import logging
from typing import Any, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from azure.core.pipeline.policies import NetworkTraceLoggingPolicy

_LOGGER = logging.getLogger("azure.identity.http")

SHOWN_HEADERS = frozenset(
    [
        "accept",
        "accept-encoding",
        "cache-control",
        "client-request-id",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "expires",
        "location",
        "metadata",
        "retry-after",
        "return-client-request-id",
        "server",
        "transfer-encoding",
        "user-agent",
        "x-client-os",
        "x-client-sku",
        "x-client-ver",
        "x-ms-client-request-id",
        "x-ms-ests-server",
        "x-ms-request-id",
        "x-ms-retry-after-ms",
    ]
)
SHOWN_FIELDS = frozenset(
    [
        "api-version",
        "client_assertion_type",
        "client_id",
        "correlation_id",
        "error",
        "error_codes",
        "error_uri",
        "expires_in",
        "expires_on",
        "ext_expires_in",
        "grant_type",
        "interval",
        "not_before",
        "redirect_uri",
        "refresh_in",
        "requested_token_use",
        "resource",
        "response_type",
        "scope",
        "suberror",
        "timestamp",
        "token_type",
        "trace_id",
    ]
)
HIDDEN = "REDACTED"


class RedactedTracePolicy(NetworkTraceLoggingPolicy):
    """Logs method, URL, status, and those headers and fields that are known to be harmless. Values of all others are
    replaced."""

    def on_request(self, request: Any) -> None:
        if not self._enabled(request) or not _LOGGER.isEnabledFor(logging.DEBUG):
            return
        http = request.http_request
        body = getattr(http, "content", None) or getattr(http, "body", None) or b""
        _LOGGER.debug(
            "%s %s\n%s\n\n%s",
            http.method,
            shown_url(http.url),
            shown_headers(http.headers),
            shown_body(body, http.headers),
        )

    def on_response(self, request: Any, response: Any) -> None:
        if not self._enabled(request) or not _LOGGER.isEnabledFor(logging.DEBUG):
            return
        http = response.http_response
        body = http.content if hasattr(http, "content") else http.body()
        _LOGGER.debug("%s\n%s\n\n%s", http.status_code, shown_headers(http.headers), shown_body(body, http.headers))

    def _enabled(self, request: Any) -> bool:
        # The same keyword as azure-core's policy, on the credential or on one call; the context remembers it for the
        # response.
        if "logging_enable" in request.context.options:
            request.context["logging_enable"] = request.context.options.pop("logging_enable")
        return bool(request.context.get("logging_enable", self.enable_http_logger))


def shown_url(url: str) -> str:
    """The URL without its fragment, and with the values of unknown query parameters replaced."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    query = [
        (name, value if name in SHOWN_FIELDS else HIDDEN)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


def shown_headers(headers: Mapping[str, str]) -> str:
    """One header a line."""
    return "\n".join(f"{name}: {_shown_header(name.lower(), value)}" for name, value in headers.items())


def _shown_header(name: str, value: str) -> str:
    if name == "location":  # its query and fragment can carry codes and tokens
        return shown_url(value)
    return value if name in SHOWN_HEADERS else HIDDEN


def shown_body(body: Any, headers: Mapping[str, str]) -> str:
    """Forms and JSON objects by field; of anything else only how long it is."""
    raw = body if isinstance(body, bytes) else str(body).encode("utf-8", "replace")
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if "x-www-form-urlencoded" in kind:
        fields = dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
    else:
        try:
            fields = json.loads(raw)
        except (ValueError, RecursionError):
            fields = None
    if not isinstance(fields, dict):
        return f"({len(raw)} bytes)" if raw else ""
    return "\n".join(f"{name}={value if name in SHOWN_FIELDS else HIDDEN}" for name, value in fields.items())
