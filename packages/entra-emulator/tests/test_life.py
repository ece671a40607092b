"""Starting, stopping, starting again, and living side by side."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import warnings
from pathlib import Path
from typing import Any, Dict, List

import pytest
import requests

from entra_emulator import EntraEmulator


def token(entra: EntraEmulator, session: requests.Session, **changes: str) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": entra.app.client_id,
        "client_secret": entra.app.secret,
        "scope": entra.resource_scope,
        **changes,
    }
    answer = session.post(f"{entra.authority}/{entra.tenant.id}/oauth2/v2.0/token", data=form, timeout=10)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def call(entra: EntraEmulator, session: requests.Session, value: str) -> int:
    return session.get(entra.resource_url, headers={"Authorization": f"Bearer {value}"}, timeout=10).status_code


def threads() -> List[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("entra-emulator")]


def test_stop_leaves_nothing(key_dir: Path):
    """After a stop there is no thread, no socket, no file and no warning, whatever clients were doing."""
    before = threads()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        entra = EntraEmulator(key_dir=key_dir).start()
        port, run_dir = entra.port, Path(entra.write_federated_token_file()).parent
        with requests.Session() as session, socket.socket() as silent, socket.socket() as handshake:
            session.trust_env, session.verify = False, entra.ca_file
            token(entra, session)  # leaves a kept connection
            silent.connect(("127.0.0.1", entra.http_port))
            handshake.connect(("127.0.0.1", port))
            idle = ssl.create_default_context(cafile=entra.ca_file).wrap_socket(
                socket.create_connection(("localhost", port)), server_hostname="localhost"
            )
            entra.stop()
            idle.close()
        gc.collect()

    assert [str(one.message) for one in caught] == []
    assert threads() == before
    assert not run_dir.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


def test_everything_works_from_the_start(key_dir: Path):
    """Secret and federated token of the default app are good as soon as it runs."""
    with EntraEmulator(key_dir=key_dir) as entra, requests.Session() as session:
        session.trust_env, session.verify = False, entra.ca_file
        assert token(entra, session)
        assert token(
            entra,
            session,
            client_secret="",
            client_assertion=entra.federated_token(),
            client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )


def test_stopping_twice(key_dir: Path):
    """A second stop does nothing; starting twice is a mistake."""
    entra = EntraEmulator(key_dir=key_dir).start()
    with pytest.raises(RuntimeError, match="running already"):
        entra.start()
    entra.stop()
    entra.stop()
    with pytest.raises(RuntimeError, match="not running"):
        _ = entra.authority
    assert repr(entra) == "EntraEmulator(not running)"


def test_restart_keeps_tokens_and_certificates(key_dir: Path):
    """A new emulator with the same keys honours tokens, the authority and the client certificate of an earlier one."""
    with requests.Session() as session:
        session.trust_env = False
        with EntraEmulator(key_dir=key_dir) as first:
            session.verify = first.ca_file
            value = token(first, session)
            certificate = first.app.certificate_pem
        with EntraEmulator(key_dir=key_dir) as second:
            assert call(second, session, value) == 200
            assert second.app.registration.certificates
            assert second.app.certificate_pem == certificate


def test_same_object_restarts_on_its_ports(key_dir: Path):
    """An emulator that is started again has the same URLs, so that clients find it."""
    entra = EntraEmulator(key_dir=key_dir)
    with entra:
        before = (entra.port, entra.http_port)
    with entra:
        assert (entra.port, entra.http_port) == before


def test_two_at_once(key_dir: Path, tmp_path: Path):
    """Two emulators live side by side; one does not accept the other's tokens, unless they share keys."""
    with EntraEmulator(key_dir=key_dir) as one, EntraEmulator(key_dir=tmp_path) as other, requests.Session() as session:
        session.trust_env, session.verify = False, one.ca_file
        value = token(one, session)
        one.clock.advance(1000)
        session.verify = other.ca_file
        assert call(other, session, value) == 401
        assert other.clock.now() < one.clock.now()
        assert (one.requests.count("token"), other.requests.count("token")) == (1, 0)


def test_many_clients(entra: EntraEmulator):
    """Clients in many threads are all served, and all logged."""
    failures: List[Any] = []

    def run() -> None:
        with requests.Session() as session:
            session.trust_env, session.verify = False, entra.ca_file
            for _ in range(5):
                if call(entra, session, token(entra, session)) != 200:
                    failures.append(1)

    workers = [threading.Thread(target=run) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert failures == []
    assert (entra.requests.count("token"), entra.requests.count("resource")) == (40, 40)


async def test_async_with(key_dir: Path):
    """The emulator is an asynchronous context manager too, and does not block the loop."""
    async with EntraEmulator(key_dir=key_dir) as entra:
        assert entra.authority
    with pytest.raises(RuntimeError, match="not running"):
        _ = entra.port


def test_taken_port(entra: EntraEmulator, key_dir: Path):
    """A taken port is reported by address, and nothing is left behind."""
    before = threads()
    for ports in ({"port": entra.port}, {"http_port": entra.port}):
        other = EntraEmulator(key_dir=key_dir, **ports)
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {entra.port}"):
            other.start()
        assert repr(other) == "EntraEmulator(not running)"
    assert threads() == before


def test_port_taken_on_one_family(key_dir: Path, entra: EntraEmulator):
    """A fixed port must be free on IPv6 as well: localhost may mean either."""
    if not entra.listens_on_ipv6:
        pytest.skip("this machine has no IPv6 loopback")
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on ::1 port {port}"):
            EntraEmulator(key_dir=key_dir, port=port).start()


def test_one_port_for_two(key_dir: Path):
    """HTTPS and HTTP need a port each."""
    with pytest.raises(ValueError, match="http_port"):
        EntraEmulator(key_dir=key_dir, port=1234, http_port=1234)


def test_reset(entra: EntraEmulator, ask: Any):
    """Reset brings back the beginning, and keeps the credentials of the default app good."""
    path = entra.app.certificate_path
    ask()
    entra.add_tenant("x.example")
    entra.app.add_secret("another")
    entra.clock.advance(100)
    entra.faults.add("*", status=500)
    entra.required_roles = {"X"}
    entra.settings.strict = False
    real = entra.clock.now() - 100
    entra.reset()

    assert len(entra.requests) == 0
    assert len(entra.faults) == 0
    assert abs(entra.clock.now() - real) <= 1
    assert entra.required_roles == frozenset()
    assert entra.settings.strict
    assert ask(client_secret="another").status_code == 401
    assert ask().status_code == 200
    assert entra.app.certificate_path == path
    assert len(entra.app.registration.certificates) == 1
    assert len(entra.app.registration.federated_credentials) == 1


def test_certificate_of_another_app(entra: EntraEmulator):
    """Each app has a certificate of its own, in a private file."""
    app = entra.add_app("shop")
    path = Path(app.certificate_path)

    assert path.read_bytes() == app.certificate_pem != entra.app.certificate_pem
    assert len(app.registration.certificates) == 1
    assert repr(app) == f"RegisteredApp(client_id={app.client_id!r})"
    assert app.display_name == "shop"


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        ("secret", "AZURE_CLIENT_SECRET"),
        ("certificate", "AZURE_CLIENT_CERTIFICATE_PATH"),
        ("federated", "AZURE_FEDERATED_TOKEN_FILE"),
    ],
)
def test_environment(entra: EntraEmulator, kind: str, variable: str, monkeypatch: pytest.MonkeyPatch):
    """The environment has one credential, the authority, and a bundle that trusts it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    variables: Dict[str, str] = entra.environment(kind)

    assert set(variables) == {
        "AZURE_AUTHORITY_HOST",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        variable,
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
    }
    assert variables["AZURE_AUTHORITY_HOST"] == entra.authority
    bundle = Path(variables["REQUESTS_CA_BUNDLE"]).read_text()
    assert Path(entra.ca_file).read_text().strip() in bundle
    assert bundle.count("BEGIN CERTIFICATE") > 20, "the roots that were trusted before are missing"
    if kind == "federated":
        text = Path(variables[variable]).read_text()
        assert text.count(".") == 2


def test_environment_of_another_app(entra: EntraEmulator):
    """An environment can be had for any app."""
    app = entra.add_app("shop", tenant=entra.add_tenant("fabrikam.example"))
    variables = entra.environment(app=app)

    assert (variables["AZURE_TENANT_ID"], variables["AZURE_CLIENT_ID"]) == (app.tenant_id, app.client_id)
    assert variables["AZURE_CLIENT_SECRET"] == app.secret
