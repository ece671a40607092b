"""Certificates and addresses, as strict clients see them."""

from __future__ import annotations

import socket
import ssl
import warnings
from pathlib import Path
from typing import Any, Callable, Dict

import aiohttp
import pytest
import requests
from cryptography import x509

from entra_emulator import EntraEmulator


def strict_context(entra: EntraEmulator) -> ssl.SSLContext:
    """Trusts the authority alone, and verifies as Python 3.13 does by default."""
    context = ssl.create_default_context(cafile=entra.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def peer_certificate(entra: EntraEmulator, host: str, name: str) -> x509.Certificate:
    plain = socket.create_connection((host, entra.port), timeout=10)
    with plain, strict_context(entra).wrap_socket(plain, server_hostname=name) as tls:
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_strict_verification(entra: EntraEmulator, name: str):
    """The certificate passes strict verification under every loopback name."""
    certificate = peer_certificate(entra, "127.0.0.1", name)

    assert certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    assert certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def test_authority_certificate(entra: EntraEmulator):
    """The authority has what strict verification asks for."""
    authority = x509.load_pem_x509_certificate(Path(entra.ca_file).read_bytes())
    extensions = authority.extensions

    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert extensions.get_extension_for_class(x509.BasicConstraints).critical
    assert extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert extensions.get_extension_for_class(x509.SubjectKeyIdentifier)


def test_other_names_fail(entra: EntraEmulator):
    """A name that was not asked for is not in the certificate."""
    with pytest.raises(ssl.SSLCertVerificationError):
        peer_certificate(entra, "127.0.0.1", "login.microsoftonline.com")


def test_more_names(key_dir: Path):
    """Names can be added to the certificate."""
    with EntraEmulator(key_dir=key_dir, names=["Login.MicrosoftOnline.com", "192.0.2.1"]) as entra:
        assert peer_certificate(entra, "127.0.0.1", "login.microsoftonline.com")
        assert peer_certificate(entra, "127.0.0.1", "192.0.2.1")


def test_strangers_do_not_trust_it(entra: EntraEmulator):
    """Without the authority, nobody is led to trust the emulator."""
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.SSLError):
            session.get(entra.authority, timeout=10)


def test_both_address_families(entra: EntraEmulator):
    """`localhost` answers on IPv4, and on IPv6 where there is one."""
    if not entra.listens_on_ipv6:
        pytest.skip("this machine has no IPv6 loopback")

    assert peer_certificate(entra, "::1", "localhost") == peer_certificate(entra, "127.0.0.1", "localhost")
    with socket.create_connection(("::1", entra.http_port), timeout=10):
        pass


def test_explicit_host(key_dir: Path):
    """An address can be given; then only that one answers, and it is in the certificate."""
    with EntraEmulator(key_dir=key_dir, host="127.0.0.2") as entra:
        assert entra.authority == f"https://127.0.0.2:{entra.port}"
        assert not entra.listens_on_ipv6
        assert peer_certificate(entra, "127.0.0.2", "127.0.0.2")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", entra.port), timeout=10)


def test_ipv6_host(key_dir: Path, entra: EntraEmulator):
    """URLs of an IPv6 address have brackets."""
    if not entra.listens_on_ipv6:
        pytest.skip("this machine has no IPv6 loopback")
    with EntraEmulator(key_dir=key_dir, host="::1") as other:
        assert other.authority == f"https://[::1]:{other.port}"
        assert peer_certificate(other, "::1", "::1")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_remote_hosts_need_permission(key_dir: Path, host: str):
    """Other machines cannot reach the emulator by accident."""
    with pytest.raises(ValueError, match="allow_remote"):
        EntraEmulator(key_dir=key_dir, host=host)


def test_remote_host_with_permission(key_dir: Path):
    """With permission it listens on every address; URLs still say localhost."""
    with EntraEmulator(key_dir=key_dir, host="0.0.0.0", allow_remote=True) as entra:
        assert entra.authority == f"https://localhost:{entra.port}"
        assert peer_certificate(entra, "127.0.0.1", "localhost")


async def test_aiohttp_client(entra: EntraEmulator, token_url: str, secret_form: Dict[str, str]):
    """An asyncio client gets a token over strictly verified TLS."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(token_url, data=secret_form, ssl=strict_context(entra)) as answer,
    ):
        assert answer.status == 200
        assert (await answer.json())["token_type"] == "Bearer"


def test_old_tls_is_refused(entra: EntraEmulator):
    """Nothing below TLS 1.2 is spoken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(entra.ca_file)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.10 on
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    plain = socket.create_connection(("127.0.0.1", entra.port), timeout=10)
    with plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain, server_hostname="localhost")


def test_garbage_does_not_harm(entra: EntraEmulator, ask: Callable[..., Any]):
    """Bytes that are neither TLS nor HTTP end their connection only."""
    for port in (entra.port, entra.http_port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"\x00\xffnonsense\r\n\r\n")
            connection.recv(100)

    assert ask().status_code == 200
