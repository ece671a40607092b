"""How a confidential client proves who it is: a secret, an assertion signed with its certificate, or a federated token.

RFC 6749, section 2.3; RFC 7523; "Microsoft identity platform application authentication certificate credentials";
"Workload identity federation".
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hmac
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ..directory.directory import App, Certificate, FederatedCredential, Tenant
from ..values.addresses import Addresses
from ..values.clock import Clock
from ..values.errors import EntraError, aadsts, entra_time
from ..values.settings import Settings
from . import access_tokens
from .federation import Federation
from .token_request import TokenRequest, token_path

if TYPE_CHECKING:
    from jwt.types import Options

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523, section 2.2."""

_CERTIFICATE_ALGORITHMS = ("PS256", "RS256")
_FEDERATED_ALGORITHMS = ("RS256",)
_SKEW = 300
_MOST_REPLAYS_KEPT = 10_000

# The times are checked against the emulator's clock, the rest by the rules below.
_SIGNATURE_ONLY: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True)
class Proof:
    """How a client has authenticated."""

    method: str
    """As `appidacr` has it: `1` secret, `2` certificate or federated token."""
    by_subject_name: bool = False
    """Whether a certificate was trusted for its subject and issuer."""


@dataclass(frozen=True)
class Assertion:
    """A client assertion, read but not yet believed."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def algorithm(self) -> str:
        return str(self.header.get("alg"))

    @property
    def issuer(self) -> str:
        return str(self.claims.get("iss", ""))

    @property
    def subject(self) -> str:
        return str(self.claims.get("sub", ""))

    @property
    def audiences(self) -> List[str]:
        audience = self.claims.get("aud")
        return [str(one) for one in audience] if isinstance(audience, list) else [str(audience or "")]


class ClientAuthenticator:
    """Checks what clients present."""

    def __init__(
        self, clock: Clock, settings: Settings, federation: Federation, addresses: Callable[[], Addresses]
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._federation = federation
        self._addresses = addresses
        self._lock = threading.Lock()
        self._seen: Dict[Tuple[str, str], float] = {}

    def forget(self) -> None:
        """Drop the assertions seen so far."""
        with self._lock:
            self._seen.clear()

    async def authenticate(self, request: TokenRequest, tenant: Tenant, app: App, *, known: bool = True) -> Proof:
        """How the client of `request` has proved to be `app`.

        :keyword known: whether `app` is registered; if not, whatever is well formed is taken.
        :raises EntraError: it has not.
        """
        secret, assertion = request.get("client_secret"), request.get("client_assertion")
        if request.basic:
            if secret or request.basic[0].lower() != request.client_id.lower():
                raise aadsts(9002313, reason="The Authorization header and the body disagree.")
            secret = request.basic[1]
        if secret and assertion:
            # RFC 6749, section 2.3: no more than one method in each request.
            raise aadsts(9002313, reason="Send either 'client_secret' or 'client_assertion'.")
        if secret:
            if known:
                self._check_secret(app, secret)
            return Proof(access_tokens.SECRET)
        if not assertion:
            raise aadsts(7000218)
        if request.required("client_assertion_type") != JWT_BEARER:
            raise aadsts(9002313, reason=f"Expected 'client_assertion_type' to be '{JWT_BEARER}'.")
        presented = read_assertion(assertion)
        if "://" in presented.issuer:
            await self._check_federated(presented, app, known=known)
            return Proof(access_tokens.ASSERTION)
        return self._check_certificate(presented, request, tenant, app, known=known)

    def _check_secret(self, app: App, presented: str) -> None:
        # Every secret is compared, in constant time each.
        matches = [one for one in app.secrets if hmac.compare_digest(one.value.encode(), presented.encode())]
        if not matches:
            if self._settings.strict:
                raise aadsts(7000215, client_id=app.client_id)
            return
        now = self._clock.now()
        if all(one.expires_on is not None and one.expires_on <= now for one in matches):
            raise aadsts(7000222, client_id=app.client_id)

    def _check_certificate(
        self, assertion: Assertion, request: TokenRequest, tenant: Tenant, app: App, *, known: bool
    ) -> Proof:
        if assertion.algorithm not in _CERTIFICATE_ALGORITHMS:
            raise aadsts(5002738, alg=assertion.algorithm, supported=",".join(_CERTIFICATE_ALGORITHMS))
        for claim in ("iss", "sub", "aud", "exp", "jti"):
            if claim not in assertion.claims:
                raise aadsts(50027, reason=f"The claim '{claim}' is missing.")
        by_subject_name = False
        if known:
            certificate, by_subject_name = self._certificate(assertion, app)
            self._check_signature(assertion, certificate)
        for claim, value in (("iss", assertion.issuer), ("sub", assertion.subject)):
            if value.lower() != app.client_id.lower():
                raise aadsts(700021, reason=f"The claim '{claim}' is '{value}'.")
        if not any(self._is_endpoint(audience, request, tenant) for audience in assertion.audiences):
            raise aadsts(700023, audience=" ".join(assertion.audiences), expected=request.endpoint)
        self._check_times(assertion)
        if self._settings.refuse_replays:
            self._check_replay(assertion)
        return Proof(access_tokens.ASSERTION, by_subject_name)

    def _certificate(self, assertion: Assertion, app: App) -> Tuple[x509.Certificate, bool]:
        """The certificate that must have signed, and whether it is trusted for its subject and issuer."""
        chain = _chain(assertion)
        thumbprints = {name: _unpadded(assertion.header.get(name)) for name in ("x5t", "x5t#S256")}
        if chain:
            leaf = Certificate.from_der(chain[0])
            if thumbprints["x5t"] not in (None, leaf.x5t) or thumbprints["x5t#S256"] not in (None, leaf.x5t_s256):
                raise aadsts(700027, reason="The thumbprint in the header is not that of the certificate in 'x5c'.")
            if leaf in app.certificates:
                return _parse(chain[0]), False
            if _is_trusted_by_name(chain, app):
                return _parse(chain[0]), True
            raise aadsts(700027, reason="The certificate in 'x5c' is not registered for the application.")
        if not any(thumbprints.values()):
            raise aadsts(700027, reason="The header names no certificate ('x5t#S256', 'x5t' or 'x5c').")
        for certificate in app.certificates:
            if thumbprints["x5t"] in (None, certificate.x5t) and thumbprints["x5t#S256"] in (
                None,
                certificate.x5t_s256,
            ):
                return _parse(certificate.der), False
        raise aadsts(700027, reason="The key was not found: no registered certificate has this thumbprint.")

    def _check_signature(self, assertion: Assertion, certificate: x509.Certificate) -> None:
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise aadsts(700027, reason="The certificate has no RSA key.")
        if not _verifies(assertion, key):
            raise aadsts(700027, reason="The signature does not match the certificate.")
        now = datetime.datetime.fromtimestamp(self._clock.now(), datetime.timezone.utc)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise aadsts(1000502)

    def _is_endpoint(self, audience: str, request: TokenRequest, tenant: Tenant) -> bool:
        """Whether `audience` is this token endpoint, or the tenant's issuer under the same host."""
        if not self._addresses().include(audience, host_header=request.host_header):
            return False
        path = urlsplit(audience).path.lower()
        return any(
            path in (token_path(name, 2), token_path(name, 1), f"/{name}", f"/{name}/", f"/{name}/v2.0")
            for name in tenant.names
        )

    def _check_times(self, assertion: Assertion) -> None:
        now = self._clock.now()
        end, start = assertion.claims.get("exp"), assertion.claims.get("nbf", assertion.claims.get("iat", now))
        if not (_is_number(end) and _is_number(start)):
            raise aadsts(50027, reason="The claims 'exp', 'nbf' and 'iat' must be numbers.")
        assert isinstance(end, (int, float)) and isinstance(start, (int, float))
        if not start - _SKEW <= now < end + _SKEW:
            raise aadsts(700024, now=entra_time(now), start=_shown_time(start), end=_shown_time(end))

    def _check_replay(self, assertion: Assertion) -> None:
        key = (assertion.issuer, str(assertion.claims["jti"]))
        with self._lock:
            if key in self._seen:
                raise aadsts(50027, reason="The assertion has been used before ('jti').")
            self._seen[key] = float(assertion.claims["exp"])
            if len(self._seen) > _MOST_REPLAYS_KEPT:
                now = self._clock.now()
                alive = {one: end for one, end in self._seen.items() if end + _SKEW > now}
                self._seen = dict(list(alive.items())[-_MOST_REPLAYS_KEPT:])

    async def _check_federated(self, assertion: Assertion, app: App, *, known: bool) -> None:
        if assertion.algorithm not in _FEDERATED_ALGORITHMS:
            raise aadsts(5002738, alg=assertion.algorithm, supported=",".join(_FEDERATED_ALGORITHMS))
        if known:
            find_federated_credential(assertion, app)
            kid = assertion.header.get("kid")
            keys = await self._federation.keys(assertion.issuer, kid)
            if not any(_verifies(assertion, key) for name, key in keys if kid is None or name in (None, kid)):
                raise aadsts(50013, reason="The key was not found, or the signature does not match it.")
        if "exp" not in assertion.claims:
            raise aadsts(50027, reason="The claim 'exp' is missing.")
        self._check_times(assertion)


def read_assertion(text: str) -> Assertion:
    """Take a JWT apart. :raises EntraError: AADSTS50027, it is none."""
    try:
        header = jwt.get_unverified_header(text)
        claims = jwt.decode(text, options={"verify_signature": False})
    except (jwt.PyJWTError, UnicodeError, ValueError) as error:
        raise aadsts(50027, reason=f"({type(error).__name__})") from error
    return Assertion(text, header, claims)


def find_federated_credential(assertion: Assertion, app: App) -> FederatedCredential:
    """The credential of `app` that `assertion` meets exactly.

    :raises EntraError: AADSTS700211, 700212, 700213 for the first part that matches none; AADSTS70021 when each part
        matches some credential, but no credential matches all; AADSTS70025 when there are none.
    """
    if not app.federated_credentials:
        raise aadsts(70025, client_id=app.client_id)
    audiences = assertion.audiences
    # Entra takes exactly one audience.
    audience = audiences[0] if len(audiences) == 1 else " ".join(audiences)
    for credential in app.federated_credentials:
        if (credential.issuer, credential.subject, credential.audience) == (
            assertion.issuer,
            assertion.subject,
            audience,
        ):
            return credential
    if assertion.issuer not in [credential.issuer for credential in app.federated_credentials]:
        raise aadsts(700211, issuer=assertion.issuer)
    if audience not in [credential.audience for credential in app.federated_credentials]:
        raise aadsts(700212, audience=audience)
    if assertion.subject not in [credential.subject for credential in app.federated_credentials]:
        raise aadsts(700213, subject=assertion.subject)
    raise aadsts(70021, issuer=assertion.issuer, subject=assertion.subject, audience=audience)


def _verifies(assertion: Assertion, key: Any) -> bool:
    try:
        jwt.decode(assertion.text, key, algorithms=[assertion.algorithm], options=_SIGNATURE_ONLY)
    except jwt.PyJWTError:
        return False
    return True


def _chain(assertion: Assertion) -> List[bytes]:
    """The DER certificates of the `x5c` header: standard base64, leaf first (RFC 7515, 4.1.6)."""
    x5c = assertion.header.get("x5c")
    if x5c is None:
        return []
    try:
        if not isinstance(x5c, list) or not x5c:
            raise ValueError("x5c: expected a list")
        # Some clients leave the line breaks of PEM in, against RFC 7515, and Entra takes them.
        return [base64.b64decode("".join(one.split()), validate=True) for one in x5c]
    except (AttributeError, TypeError, ValueError, binascii.Error) as error:
        raise aadsts(50027, reason="The header 'x5c' is not a list of base64 certificates.") from error


def _is_trusted_by_name(chain: List[bytes], app: App) -> bool:
    certificates = [_parse(der) for der in chain]
    subject = certificates[0].subject.rfc4514_string()
    for trust in app.subject_name_issuers:
        if trust.subject == subject and _leads_to(certificates, _parse(trust.issuer_der)):
            return True
    return False


def _leads_to(chain: List[x509.Certificate], anchor: x509.Certificate) -> bool:
    """Whether the anchor has issued the first certificate, directly or through the ones that follow it."""
    for index, certificate in enumerate(chain):
        if _issued(anchor, certificate):
            return True
        if index + 1 == len(chain) or not _issued(chain[index + 1], certificate):
            return False
    return False


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _parse(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise _bad_certificate() from error


def _bad_certificate() -> EntraError:
    return aadsts(50027, reason="The header 'x5c' holds something that is not a certificate.")


def _unpadded(value: Any) -> Optional[str]:
    # Some clients pad their thumbprints, against RFC 7515, and Entra takes them.
    return value.rstrip("=") if isinstance(value, str) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15


def _shown_time(epoch: float) -> str:
    return entra_time(int(epoch)) if 0 <= epoch < 253402300800 else str(epoch)
