"""Keys and certificates for tests, made once per run: RSA keys take a while."""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import Any, NamedTuple, Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)


class Identity(NamedTuple):
    """A private key, its certificate, and that of the authority that signed it."""

    key: Any
    leaf: x509.Certificate
    authority: x509.Certificate


def identity(kind: str = "rsa") -> Identity:
    """The one identity with this kind of key."""
    return _identity(kind)


@lru_cache(maxsize=8)
def _identity(kind: str) -> Identity:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("authority", authority_key, authority_key, "authority")
    key: Any
    if kind == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    elif kind == "ec":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    return Identity(key, _certificate("leaf", key, authority_key, "authority"), authority)


def _certificate(subject: str, key: Any, signer: Any, issuer: str) -> x509.Certificate:
    start = datetime.datetime(2024, 1, 1)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .sign(signer, hashes.SHA256())
    )


def key_pem(kind: str = "rsa", password: Optional[bytes] = None, traditional: bool = False) -> bytes:
    encryption: Any = BestAvailableEncryption(password) if password else NoEncryption()
    style = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    key: bytes = identity(kind).key.private_bytes(Encoding.PEM, style, encryption)
    return key


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def leaf_pem(kind: str = "rsa") -> bytes:
    return pem(identity(kind).leaf)


def authority_pem(kind: str = "rsa") -> bytes:
    return pem(identity(kind).authority)


def usable_pem() -> bytes:
    """What a file for CertificateCredential contains."""
    return key_pem() + leaf_pem()


def another_pem() -> bytes:
    """The same with another key, each time."""
    made = _identity.__wrapped__("rsa")
    key: bytes = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key + pem(made.leaf)


def pkcs12_data(password: Optional[bytes] = None, *, key: bool = True, leaf: bool = True, others: bool = True) -> bytes:
    made = identity()
    encryption: Any = BestAvailableEncryption(password) if password else NoEncryption()
    return pkcs12.serialize_key_and_certificates(
        b"name",
        made.key if key else None,
        made.leaf if leaf else None,
        [made.authority] if others else None,
        encryption,
    )
