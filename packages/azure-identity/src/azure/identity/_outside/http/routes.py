"""Requests with rules of their own: no proxy, one particular certificate, or another name and other authorities.

1. A *route* is what such a request asks for. Every route has pipes of its own (`pipes`), so a connection that was
   opened under one rule never serves a request with another.
2. The rules are kept while the connection is made, before anything of the request is sent: in the TLS handshake.
3. Under a TLS rule the transport is the library's: one of the user's could not promise rule 2. Neither
   `connection_verify`, `connection_cert` nor redirects apply; all other options do. Without a TLS rule a transport or
   session of the user's is used, and whether it asks a proxy by itself is the user's business.
4. A certificate that breaks the rule is an answer, not an accident: it is never retried.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import ssl
from copy import copy
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Optional

from ..._values.messages import Tls, Unreachable

if TYPE_CHECKING:
    from ..._values.messages import Request

_PROXY_OPTIONS = ("proxies", "proxy_policy")
_TLS_OPTIONS = (
    "transport",
    "session",
    "session_owner",
    "connection_verify",
    "connection_cert",
    "permit_redirects",
    "redirect_policy",
)
_THUMBPRINT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_PARTIAL_CHAIN = getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)
"""OpenSSL's X509_V_FLAG_PARTIAL_CHAIN; the ssl module names it since Python 3.10."""


class Route(NamedTuple):
    """What a request asks for beyond the pipeline's options."""

    direct: bool
    tls: Optional[Tls] = None
    plain: bool = False
    """Whether it is plain http on this machine or its link, so that no trust store needs to be loaded for it."""

    def replaces(self, other: Route) -> bool:
        """Whether this is `other` after its authorities were renewed."""
        mine, theirs = self.tls, other.tls
        if mine is None or theirs is None or mine.ca_pem is None or theirs.ca_pem in (None, mine.ca_pem):
            return False
        return self == other._replace(tls=theirs._replace(ca_pem=mine.ca_pem))


def route_of(request: Request) -> Optional[Route]:
    """The route of a request; None for one without rules.

    :raises ValueError: its rules are malformed, or contradict each other.
    """
    tls = request.tls
    if tls is None:
        return Route(True, plain=request.url.lower().startswith("http://")) if request.direct else None
    if tls.thumbprint is None:
        return Route(request.direct, tls)
    if tls.server_name is not None or tls.ca_pem is not None:
        raise ValueError("A thumbprint names the certificate; a server name or authorities have no meaning beside it.")
    # A proxy would learn where the request goes, and the host is on this machine or on its link.
    return Route(True, Tls(normal_thumbprint(tls.thumbprint)))


def normal_thumbprint(text: str) -> str:
    """A thumbprint in lower case, without the blanks and colons that tools put in.

    :raises ValueError: it is neither SHA-1 (40 hexadecimal digits) nor SHA-256 (64).
    """
    digits = re.sub(r"[\s:]", "", text).lower()
    if not _THUMBPRINT.match(digits):
        raise ValueError(
            "A certificate thumbprint has 40 hexadecimal digits (SHA-1) or 64 (SHA-256), with or without colons."
        )
    return digits


def routed_options(options: Mapping[str, Any], route: Route) -> dict[str, Any]:
    """The pipeline options that apply on a route."""
    void = (_PROXY_OPTIONS if route.direct else ()) + (_TLS_OPTIONS if route.tls is not None else ())
    return {name: value for name, value in options.items() if name not in void}


def routed_policies(policies: list[Any], route: Route) -> list[Any]:
    """The policies that apply on a route.

    A policy remembers the next one. One that the user gave for several pipelines would lead all of them into the
    pipeline that was built last, past its rules; so each route works with copies.
    """
    from azure.core.pipeline.policies import (
        AsyncHTTPPolicy,
        AsyncRedirectPolicy,
        HTTPPolicy,
        ProxyPolicy,
        RedirectPolicy,
    )

    void: tuple[type, ...] = ((ProxyPolicy,) if route.direct else ()) + (
        (RedirectPolicy, AsyncRedirectPolicy) if route.tls is not None else ()
    )
    kept = [policy for policy in policies if not isinstance(policy, void)]
    return [copy(policy) if isinstance(policy, (HTTPPolicy, AsyncHTTPPolicy)) else policy for policy in kept]


def refuse_plain(url: str, route: Route) -> None:
    """Raise Unreachable for a URL without TLS on a route that has a rule for it."""
    if route.tls is not None and not url.lower().startswith("https://"):
        raise Unreachable(url, "the request needs TLS, and the URL is not https", kind="tls")


# --- TLS contexts ------------------------------------------------------------------------------------------


class WrongCertificate(ssl.SSLCertVerificationError):
    """The server showed another certificate than the one expected."""

    def __init__(self, message: str) -> None:
        super().__init__(1, message)
        self.verify_code = 0
        self.verify_message = message


def routed_context(route: Route) -> Optional[ssl.SSLContext]:
    """The TLS context of a route; None if the pipeline's own serves.

    :raises ValueError: the authorities are not PEM certificates.
    """
    tls = route.tls
    if tls is not None and tls.thumbprint is not None:
        return _pinning(tls.thumbprint)
    if tls is not None and tls.ca_pem is not None:
        return _trusting(tls.ca_pem)
    return None


def _pinning(thumbprint: str) -> ssl.SSLContext:
    """A context whose handshake fails unless the server shows the certificate with this thumbprint.

    urllib3 knows how to compare thumbprints after the handshake, aiohttp only SHA-256 ones. Both, and every event loop,
    leave the handshake to the classes a context names, so one comparison there serves all.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    algorithm = "sha1" if len(thumbprint) == 40 else "sha256"

    def compare(certificate: Optional[bytes]) -> None:
        shown = hashlib.new(algorithm, certificate or b"").hexdigest()
        if not hmac.compare_digest(shown, thumbprint):
            raise WrongCertificate(f"its thumbprint is {shown}, and not {thumbprint}")

    class PinnedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            compare(self.getpeercert(True))

    class PinnedObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            compare(self.getpeercert(True))

    context.sslsocket_class = PinnedSocket
    context.sslobject_class = PinnedObject
    return context


def _trusting(ca_pem: str) -> ssl.SSLContext:
    """A context that trusts these certificates, and no others.

    What it accepts must not depend on the version of Python, which became stricter in 3.13 about the form of
    certificates (RFC 5280), and since then takes any given certificate as an anchor. Clusters have authorities without
    key identifiers, and whoever is given a certificate to trust means that one.
    """
    try:
        context = ssl.create_default_context(cadata=ca_pem)
    except ssl.SSLError as error:
        raise ValueError(f"The certificates to trust cannot be read ({error.reason or error}).") from None
    context.verify_flags = (context.verify_flags | _PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    return context


def routed_pool_options(route: Route) -> dict[str, str]:
    """What urllib3's pools must know of a route besides its TLS context."""
    tls = route.tls
    if tls is not None and tls.thumbprint is not None:
        # The context has compared it by then; told to urllib3 too, it does not warn of unverified requests.
        return {"assert_fingerprint": tls.thumbprint}
    if tls is not None and tls.server_name is not None:
        return {"server_hostname": tls.server_name}
    return {}
