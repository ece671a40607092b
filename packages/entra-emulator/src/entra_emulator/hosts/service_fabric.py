"""Service Fabric applications: an HTTPS endpoint on the node that is known by its certificate's thumbprint.

"Leverage a managed identity of a Service Fabric application to access Azure services".
"""

from __future__ import annotations

import datetime
import hashlib
import secrets
import ssl
import uuid
from typing import Any, Dict, List, Optional, Tuple

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ..endpoints.http_face import Route
from ..keys.certificate_authority import use_certificate
from .app_service import same
from .face import Refusal
from .host import HttpHost, Site
from .identities import ManagedIdentity
from .imds import TOKEN_PATH
from .tokens import UnknownResourceError

API_VERSIONS = ("2019-07-01-preview", "2020-05-01")
_NODE = "node-0.servicefabric.invalid"  # nobody can have this name (RFC 2606): only the thumbprint tells the node
_A_YEAR = datetime.timedelta(days=365)
_A_DAY = datetime.timedelta(days=1)


class ServiceFabricHost(HttpHost):
    """An application of a Service Fabric cluster. Its certificate is self-signed, and for a name nobody asks for."""

    kind = "service-fabric"
    _keeps_tokens = None  # a token is repeated until a client reports it as rejected

    def __init__(self, site: Site, **common: Any) -> None:
        super().__init__(site, **common)
        self.secret = secrets.token_hex(32)
        """The code of this process, which requests carry in the header `Secret`."""
        self.refresh_hashes: List[str] = []
        """The values of `token_sha256_to_refresh` so far: hashes of tokens that a resource has rejected."""
        self._certificate = b""
        self._tls: Optional[ssl.SSLContext] = None

    @property
    def url(self) -> str:
        """`https://localhost:port`."""
        return f"https://localhost:{self.port}"

    @property
    def thumbprint(self) -> str:
        """The SHA-1 of the certificate, in upper-case hexadecimal: IDENTITY_SERVER_THUMBPRINT."""
        return hashlib.sha1(self._certificate, usedforsecurity=False).hexdigest().upper()

    @property
    def thumbprint_sha256(self) -> str:
        """The SHA-256 of the certificate, in upper-case hexadecimal."""
        return hashlib.sha256(self._certificate).hexdigest().upper()

    def rotate_certificate(self) -> str:
        """Present another certificate on new connections. Returns its thumbprint; the environment keeps the old one."""
        if self._tls is None:
            raise RuntimeError("this service-fabric host is not open")
        pem, self._certificate = _self_signed()
        use_certificate(self._tls, pem)
        return self.thumbprint

    def _start(self) -> Dict[str, str]:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self.rotate_certificate()
        self._listen(tls=self._tls)
        return {
            "IDENTITY_ENDPOINT": f"{self.url}{TOKEN_PATH}",
            "IDENTITY_HEADER": self.secret,
            "IDENTITY_SERVER_THUMBPRINT": self.thumbprint,
            "IDENTITY_API_VERSION": API_VERSIONS[0],
        }

    def _stop(self) -> None:
        super()._stop()
        self._tls = None

    def _routes(self) -> List[Route]:
        return [Route("service-fabric", "GET", TOKEN_PATH, self._token)]

    def _error_body(self, status: int) -> Any:
        code = {404: "ManagedIdentityNotFound", 429: "TooManyRequests"}.get(status, "InternalServerError")
        return _body(code, "The request failed.")

    async def _token(self, request: web.Request) -> web.Response:
        query = request.query
        if query.get("api-version") not in API_VERSIONS:
            raise _refusal(
                400, "InvalidApiVersion", f"The api-version is not supported. Supported: {', '.join(API_VERSIONS)}."
            )
        if "Secret" not in request.headers:
            raise _refusal(400, "SecretHeaderNotFound", "Secret is not found in the request headers.")
        if not query.get("resource"):
            raise _refusal(400, "ArgumentNullOrEmpty", "The parameter 'resource' should not be null or empty string.")
        identity = self._identity(request)
        rejected = query.get("token_sha256_to_refresh", "")
        if rejected:
            self.refresh_hashes.append(rejected)
        return self._answer(identity, query["resource"], _capabilities(query.get("xms_cc", "")), rejected)

    def _identity(self, request: web.Request) -> ManagedIdentity:
        wanted = request.query.get("principalId")
        found = self._assigned.find("object_id", wanted) if wanted else self._assigned.system
        if found is None or not same(request.headers["Secret"], self.secret):
            raise _refusal(
                404, "ManagedIdentityNotFound", "Managed identity not found for the specified application host."
            )
        return found

    def _answer(
        self, identity: ManagedIdentity, resource: str, capabilities: Tuple[str, ...], rejected: str
    ) -> web.Response:
        try:
            token = self._tokens.token(identity, resource, capabilities=capabilities, rejected=rejected)
        except UnknownResourceError as error:
            raise _refusal(500, "InternalServerError", "An error occurred.") from error
        return web.json_response(
            {
                "token_type": "Bearer",
                "access_token": token.value,
                "expires_on": token.expires_on,
                "resource": resource,
            }
        )


def _capabilities(text: str) -> Tuple[str, ...]:
    """The client capabilities in `xms_cc`, as they stand in a token."""
    return tuple(sorted({one.strip().upper() for one in text.split(",") if one.strip()}))


def _body(code: str, message: str) -> Dict[str, Any]:
    return {"error": {"correlationId": str(uuid.uuid4()), "code": code, "message": message}}


def _refusal(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, _body(code, message))


def _self_signed() -> Tuple[bytes, bytes]:
    """A fresh key and certificate as PEM text, and the certificate as DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NODE)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _A_DAY)
        .not_valid_after(now + _A_YEAR)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NODE)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    return pem, certificate.public_bytes(serialization.Encoding.DER)
