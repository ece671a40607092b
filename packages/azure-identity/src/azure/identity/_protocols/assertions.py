"""Certificates, and the signed assertions that prove their possession.

Sources: "Microsoft identity platform application authentication certificate credentials"; RFC 7515 (JWS), 7518 (PS256),
7523 (assertions). This module imports `cryptography`, so it is itself imported only when a certificate is at hand.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections import OrderedDict
from typing import Any, NamedTuple, Optional, Union

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, pkcs12

from .._outside.locks import Lock

LIFETIME = 600
"""Seconds an assertion is valid. The documentation recommends 5 to 10 minutes."""
REUSE = 480
"""Seconds an assertion is used again, so that its last use still has two minutes to arrive and for clocks to differ."""


class Certificate(NamedTuple):
    """A certificate with its private key, and what is derived from it."""

    key: RSAPrivateKey
    sha256: str
    """Base64url SHA-256 thumbprint, for Entra ID."""
    sha1: str
    """Base64url SHA-1 thumbprint, for AD FS, which knows no other."""
    chain: tuple[str, ...]
    """The certificates as base64 DER (RFC 7515, x5c), leaf first."""
    fingerprint: str
    """Identifies the content this was loaded from; no secret."""

    def __repr__(self) -> str:
        return f"Certificate(sha256={self.sha256!r})"


_loaded: OrderedDict[bytes, Certificate] = OrderedDict()
_loaded_lock = Lock()
_LOADED_LIMIT = 64


def _after_fork() -> None:
    global _loaded_lock
    _loaded_lock = Lock()  # a thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def load_certificate(data: bytes, password: Union[str, bytes, None] = None) -> Certificate:
    """Read a PEM or PKCS#12 certificate with an RSA private key.

    Parsing and checking a private key takes tens of milliseconds, so the last results are kept by content: a web API
    that makes a credential per request pays once.

    :raises ValueError: the data is neither format, has no key or no certificate, the password is wrong or missing, or
        the key is not RSA.
    """
    secret = password.encode("utf-8") if isinstance(password, str) else password
    secret = secret or None
    digest = hashlib.sha256(len(secret or b"").to_bytes(4, "big") + (secret or b"") + data).digest()
    with _loaded_lock:
        known = _loaded.get(digest)
        if known is not None:
            _loaded.move_to_end(digest)
            return known
    try:
        certificate = _parse(data, secret, digest.hex())
    except UnsupportedAlgorithm as error:
        raise ValueError(f"The certificate or its key cannot be read: {error}.") from None
    with _loaded_lock:
        _loaded[digest] = certificate
        while len(_loaded) > _LOADED_LIMIT:
            _loaded.popitem(last=False)
    return certificate


def _parse(data: bytes, password: Optional[bytes], fingerprint: str) -> Certificate:
    key, certificates = _parse_pem(data, password) if b"-----BEGIN" in data else _parse_pkcs12(data, password)
    if not isinstance(key, RSAPrivateKey):
        kind = type(key).__name__.replace("PrivateKey", "").lstrip("_")
        raise ValueError(
            f"The certificate's private key must be an RSA key, but it is {kind or 'of another kind'}: Microsoft Entra "
            "ID accepts assertions signed with PS256 or RS256 only."
        )
    chain = _ordered(key, certificates)
    leaf = chain[0]
    return Certificate(
        key,
        _base64url(leaf.fingerprint(hashes.SHA256())),
        _base64url(leaf.fingerprint(hashes.SHA1())),  # noqa: S303 - AD FS's wire format
        tuple(base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii") for certificate in chain),
        fingerprint,
    )


def _parse_pem(data: bytes, password: Optional[bytes]) -> tuple[Any, list[x509.Certificate]]:
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except ValueError:
        raise ValueError(
            "The PEM data contains no certificate that can be read; it needs one, besides the private key."
        ) from None
    key_block = re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*", data, re.DOTALL)
    if key_block is None:
        raise ValueError("The PEM data contains no private key; it needs one, besides the certificate.")
    key_text = key_block.group()
    try:
        return load_pem_private_key(key_text, password), certificates
    except TypeError:
        if password is None:
            raise ValueError(
                "The private key is encrypted: give its password (password=, AZURE_CLIENT_CERTIFICATE_PASSWORD)."
            ) from None
    except ValueError as error:
        if password is not None:
            raise ValueError("The private key cannot be read: the password is wrong, or the key is damaged.") from None
        raise ValueError(f"The private key in the PEM data cannot be read ({type(error).__name__}).") from None
    # A password for a key that needs none does no harm.
    try:
        return load_pem_private_key(key_text, None), certificates
    except (TypeError, ValueError):
        raise ValueError("The private key in the PEM data cannot be read.") from None


def _parse_pkcs12(data: bytes, password: Optional[bytes]) -> tuple[Any, list[x509.Certificate]]:
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(data, password)
    except ValueError:
        reason = "the password is wrong, or it is" if password else "it is encrypted and needs a password, or it is"
        raise ValueError(f"The certificate cannot be read: {reason} neither PEM nor PKCS#12.") from None
    if key is None:
        raise ValueError("The PKCS#12 data contains no private key; it needs one, besides the certificate.")
    certificates = ([leaf] if leaf is not None else []) + list(others)
    if not certificates:
        raise ValueError("The PKCS#12 data contains no certificate; it needs one, besides the private key.")
    return key, certificates


def _ordered(key: RSAPrivateKey, certificates: list[x509.Certificate]) -> list[x509.Certificate]:
    """The certificate that belongs to the key first, then the others in their order: files list them in any order."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for i, certificate in enumerate(certificates):
        try:
            candidate = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except (ValueError, UnsupportedAlgorithm):
            continue  # a kind of key unknown here: not ours, which is RSA
        if candidate == public:
            return [certificate, *certificates[:i], *certificates[i + 1 :]]
    raise ValueError("None of the certificates belongs to the private key.")


def sign_assertion(
    certificate: Certificate,
    *,
    client_id: str,
    audience: str,
    now: int,
    token_id: str,
    send_chain: bool = False,
    adfs: bool = False,
) -> str:
    """A client assertion for one token endpoint: PS256 and SHA-256 for Entra ID, RS256 and SHA-1 for AD FS."""
    import jwt

    headers: dict[str, Any] = {"x5t": certificate.sha1} if adfs else {"x5t#S256": certificate.sha256}
    if send_chain:
        headers["x5c"] = list(certificate.chain)
    payload = {
        "aud": audience,
        "iss": client_id,
        "sub": client_id,
        "jti": token_id,
        "nbf": now,
        "iat": now,
        "exp": now + LIFETIME,
    }
    return jwt.encode(payload, certificate.key, algorithm="RS256" if adfs else "PS256", headers=headers)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
