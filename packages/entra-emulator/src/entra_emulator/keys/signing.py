"""RSA keys that sign tokens, with the certificate and the names a key set publishes for them."""

from __future__ import annotations

import base64
import datetime
import hashlib
from typing import Any, Dict, Mapping, Optional, Tuple

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from .key_store import UnusableFileError

_TEN_YEARS = datetime.timedelta(days=3650)
_A_MONTH = datetime.timedelta(days=30)


class SigningKey:
    """An RSA-2048 key and its self-signed certificate, read from one PEM text (key first)."""

    def __init__(self, pem: bytes) -> None:
        self.private_key, self.certificate = _load(pem)
        self.certificate_der = self.certificate.public_bytes(serialization.Encoding.DER)
        # Entra names its keys by the SHA-1 thumbprint of their certificate (RFC 7515, 4.1.7: an identifier).
        thumbprint = hashlib.sha1(self.certificate_der, usedforsecurity=False).digest()
        self.kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()

    def sign(self, claims: Mapping[str, Any], *, with_x5t: bool = False) -> str:
        """The RS256 token of `claims`. :keyword with_x5t: also name the key as `x5t`, as v1 tokens do."""
        headers = {"kid": self.kid, "x5t": self.kid} if with_x5t else {"kid": self.kid}
        return jwt.encode(dict(claims), self.private_key, algorithm="RS256", headers=headers)

    def jwk(self, issuer: Optional[str] = None) -> Dict[str, Any]:
        """The public key as a member of a JSON Web Key Set (RFC 7517)."""
        numbers = self.private_key.public_key().public_numbers()
        jwk: Dict[str, Any] = {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": _base64url_number(numbers.n),
            "e": _base64url_number(numbers.e),
            "x5c": [base64.b64encode(self.certificate_der).decode()],
        }
        if issuer is not None:
            jwk["issuer"] = issuer
        return jwk


def parse_signing_key(pem: bytes) -> SigningKey:
    """:raises UnusableFileError: `pem` is broken, or its certificate ends within a month."""
    try:
        key = SigningKey(pem)
    except (ValueError, TypeError) as error:
        raise UnusableFileError(str(error)) from error
    if key.certificate.not_valid_after_utc < datetime.datetime.now(datetime.timezone.utc) + _A_MONTH:
        raise UnusableFileError("the certificate ends soon")
    return key


def new_signing_key(common_name: str) -> bytes:
    """The PEM text of a fresh RSA-2048 key and a self-signed certificate for it, good for ten years."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _TEN_YEARS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _load(pem: bytes) -> Tuple[rsa.RSAPrivateKey, x509.Certificate]:
    # The check of the primes takes 50 ms, most of a start; these files are the emulator's own.
    key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA key")
    certificate = x509.load_pem_x509_certificate(pem)
    if certificate.public_key() != key.public_key():
        raise ValueError("the certificate belongs to another key")
    return key, certificate


def _base64url_number(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
