"""Certificates for other servers on this machine."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from entra_emulator import EntraEmulator


def handshake(certificate: str, key: str, ca_file: str, name: str) -> None:
    """A TLS handshake between a server with `certificate` and a strict client that trusts `ca_file`."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=ca_file)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(5)
        far.settimeout(5)

        def serve() -> None:
            try:
                server.wrap_socket(far, server_side=True).close()
            except OSError:
                pass  # the client has refused the certificate; it says so itself

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            client.wrap_socket(near, server_hostname=name).close()
        finally:
            near.close()
            thread.join()


def test_clients_of_the_emulator_trust_it(entra: EntraEmulator):
    """Whoever trusts the emulator's authority trusts the other server, under the names asked for and no others."""
    certificate, key = entra.issue_certificate("vault.example", "127.0.0.7")

    handshake(certificate, key, entra.ca_file, "vault.example")
    handshake(certificate, key, entra.ca_file, "127.0.0.7")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(certificate, key, entra.ca_file, "localhost")


def test_it_is_for_this_machine_by_default(entra: EntraEmulator):
    """Without names it is for localhost."""
    handshake(*entra.issue_certificate(), entra.ca_file, "localhost")


def test_each_certificate_has_files_of_its_own_until_the_end(tmp_path: Path):
    """Two certificates do not overwrite each other; the private keys are private, and gone after `stop`."""
    with EntraEmulator(key_dir=tmp_path) as entra:
        files = [Path(file) for file in (*entra.issue_certificate(), *entra.issue_certificate())]
        assert len(set(files)) == 4
        assert all(file.parent.stat().st_mode & 0o077 == 0 for file in files)
    assert not any(file.exists() for file in files)


def test_mistakes_are_named(entra: EntraEmulator):
    """An empty name is refused, and so is an emulator that is not running."""
    with pytest.raises(ValueError, match="names"):
        entra.issue_certificate("vault.example", "")
    with pytest.raises(RuntimeError, match="not running"):
        EntraEmulator().issue_certificate()
