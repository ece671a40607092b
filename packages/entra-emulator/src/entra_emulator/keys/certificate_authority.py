"""The emulator's own certificate authority, and the TLS certificates it issues.

Python 3.13 verifies strictly (`ssl.VERIFY_X509_STRICT`, RFC 5280): an authority needs a subject key identifier and a
key usage, a server certificate an authority key identifier. EC keys, because making one takes no noticeable time.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path
from typing import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .key_store import UnusableFileError

SERVER_NAMES = ("localhost", "127.0.0.1", "::1")

_TEN_YEARS = datetime.timedelta(days=3650)
_A_MONTH = datetime.timedelta(days=30)
_A_DAY = datetime.timedelta(days=1)


class CertificateAuthority:
    """An authority read from one PEM text: its EC key, then its certificate."""

    def __init__(self, pem: bytes) -> None:
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("not an EC key")
        self._key = key
        self.certificate = x509.load_pem_x509_certificate(pem)
        if self.certificate.public_key() != key.public_key():
            raise ValueError("the certificate belongs to another key")

    @property
    def certificate_pem(self) -> bytes:
        """The public certificate clients have to trust."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, names: Sequence[str]) -> bytes:
        """PEM text of a fresh key and a server certificate for `names` (host names or IP addresses)."""
        key = ec.generate_private_key(ec.SECP256R1())
        # The subject stays apart from the names: a common name is no longer matched, and is limited to 64 characters.
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "entra-emulator")]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_now() - _A_DAY)
            .not_valid_after(self.certificate.not_valid_after_utc)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return _pem(key) + certificate.public_bytes(serialization.Encoding.PEM)

    def server_context(self, names: Sequence[str]) -> ssl.SSLContext:
        """A TLS server context with a fresh certificate for `names`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        use_certificate(context, self.issue(names))
        return context


def use_certificate(context: ssl.SSLContext, pem: bytes) -> None:
    """Let `context` present the certificate in `pem`, with the key before it, from the next handshake on."""
    with tempfile.TemporaryDirectory(prefix="entra-emulator-") as directory:
        path = Path(directory) / "server.pem"  # the ssl module reads keys from files only
        path.write_bytes(pem)
        context.load_cert_chain(path)


def parse_authority(pem: bytes) -> CertificateAuthority:
    """:raises UnusableFileError: `pem` is broken, or its certificate ends within a month."""
    try:
        authority = CertificateAuthority(pem)
    except (ValueError, TypeError) as error:
        raise UnusableFileError(str(error)) from error
    if authority.certificate.not_valid_after_utc < _now() + _A_MONTH:
        raise UnusableFileError("the certificate ends soon")
    return authority


def new_authority() -> bytes:
    """PEM text of a fresh authority, good for ten years."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial in the name keeps two authorities apart in one trust store.
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"entra-emulator local authority {serial % 10**8:08d}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_now() - _A_DAY)
        .not_valid_after(_now() + _TEN_YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(digital_signature=True, key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pem(key) + certificate.public_bytes(serialization.Encoding.PEM)


def _key_usage(*, digital_signature: bool, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
