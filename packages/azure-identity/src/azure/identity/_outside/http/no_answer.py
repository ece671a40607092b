"""Reading a transport's answer, and saying in one plain sentence why there is none, the same for every transport."""

from __future__ import annotations

import errno
import ssl
import zlib
from typing import Any, Iterator, Mapping, Optional

from ..._values.messages import Unreachable
from .old_urllib3 import wrong_name


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def body(raw: Any) -> bytes:
    """The body of azure-core's response, of its older kind, or of a stand-in that has a text only, as many tests do."""
    body = getattr(raw, "content", None)
    if not isinstance(body, bytes) and callable(getattr(raw, "body", None)):
        body = raw.body()
    if not isinstance(body, bytes):
        text = raw.text()
        body = text.encode("utf-8") if isinstance(text, str) else b""
    return body


def causes_of(error: Optional[BaseException]) -> Iterator[BaseException]:
    """The error and what lies behind it, in every way that azure-core, requests, urllib3 and aiohttp nest them."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        item = queue.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        queue += [
            getattr(item, "inner_exception", None),
            getattr(item, "reason", None),
            getattr(item, "os_error", None),
        ]
        queue += [*item.args, item.__cause__, item.__context__]


# What http.client, urllib3 and aiohttp raise for an answer that ends too early, by name: not all are always installed.
_CUT = frozenset(
    (
        "RemoteDisconnected",
        "IncompleteRead",
        "ChunkedEncodingError",
        "ServerDisconnectedError",
        "ContentLengthError",
        "TransferEncodingError",
    )
)


# Likewise for time that ran out, which azure-core before 1.35 does not tell from other failures.
_SLOW_CONNECTING = frozenset(("ConnectTimeout", "ConnectTimeoutError", "ConnectionTimeoutError"))
_SLOW_ANSWER = frozenset(("ReadTimeout", "ReadTimeoutError", "SocketTimeoutError", "ServerTimeoutError"))


def _aiohttp_says(causes: list[BaseException], words: str) -> bool:
    """Whether a failure begins with these words. aiohttp before 3.10 has fewer classes to tell them apart."""
    return any(type(cause).__module__.startswith("aiohttp.") and str(cause).startswith(words) for cause in causes)


def unreachable(url: str, error: BaseException) -> Unreachable:
    """Say in one plain sentence why no answer came, the same for every transport."""
    import socket

    from azure.core.exceptions import (
        DecodeError,
        ServiceRequestTimeoutError,
        ServiceResponseError,
        ServiceResponseTimeoutError,
    )

    causes = list(causes_of(error))
    for cause in causes:
        # aiohttp's own kind has the message only in the error it wraps.
        if isinstance(cause, ssl.SSLCertVerificationError) and getattr(cause, "verify_message", None):
            return Unreachable(url, f"the server's certificate is not trusted ({cause.verify_message})", kind="tls")
        if wrong_name(cause):
            return Unreachable(url, f"the server's certificate is not trusted ({wrong_name(cause)})", kind="tls")
    failures = [
        cause
        for cause in causes
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    ]
    if failures:
        said = next((text for text in (getattr(failure, "reason", None) for failure in failures) if text), None)
        return Unreachable(url, f"the TLS handshake failed ({said or 'no reason given'})", kind="tls")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Unreachable(url, "the host name cannot be resolved")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return Unreachable(url, "the connection was refused")
    kinds = {type(cause).__name__ for cause in causes}
    slow = isinstance(error, ServiceRequestTimeoutError) or kinds & _SLOW_CONNECTING
    if slow or _aiohttp_says(causes, "Connection timeout"):
        return Unreachable(url, "connecting took too long", kind="timeout")
    if isinstance(error, ServiceResponseTimeoutError) or kinds & _SLOW_ANSWER:
        return Unreachable(url, "the answer took too long", kind="timeout")
    if any(isinstance(cause, OSError) and cause.errno == errno.ECONNRESET for cause in causes):
        return Unreachable(url, "the connection was cut before the answer was complete", kind="response")
    cut = kinds & _CUT or any(isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) for cause in causes)
    if cut or _aiohttp_says(causes, "Response payload is not completed"):
        return Unreachable(url, "the connection was cut before the answer was complete", kind="response")
    if kinds & {"BadStatusLine", "BadHttpMessage"}:
        return Unreachable(url, "the answer is not HTTP", kind="response")
    if any(isinstance(cause, zlib.error) for cause in causes):
        return Unreachable(url, "the answer's compression is damaged", kind="response")
    if isinstance(error, (ServiceResponseError, DecodeError)) or type(error).__name__ == "ClientPayloadError":
        return Unreachable(url, f"the answer could not be read ({type(causes[-1]).__name__})", kind="response")
    # Before Python 3.10 and 3.11, those of sockets and of asyncio are classes of their own.
    if any(isinstance(cause, (TimeoutError, socket.timeout)) for cause in causes) or "TimeoutError" in kinds:
        return Unreachable(url, "the answer took too long", kind="timeout")
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            if cause.strerror.startswith("[SSL:"):  # aiohttp before 3.10 keeps only the words
                return Unreachable(url, f"the TLS connection failed ({cause.strerror})", kind="tls")
            return Unreachable(url, cause.strerror[:1].lower() + cause.strerror[1:])
    return Unreachable(url, f"no connection ({type(causes[-1]).__name__})")


def certificate_refused(error: BaseException) -> bool:
    """Whether the server's certificate was the reason. It will not be another one in a second."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) or wrong_name(cause) for cause in causes_of(error))
