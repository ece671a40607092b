"""Fixtures of the emulator's own tests: keys in a temporary directory, and a client that trusts the authority."""

from __future__ import annotations

import base64
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificate

from entra_emulator import EntraEmulator

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="session")
def key_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys that all tests share: making them takes most of the time of a start."""
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="session")
def entra_server(key_dir: Path) -> Iterator[EntraEmulator]:
    """Replaces the plugin's: the user's cache directory stays untouched."""
    with EntraEmulator(key_dir=key_dir) as emulator:
        yield emulator


@pytest.fixture
def client(entra: EntraEmulator) -> Iterator[requests.Session]:
    """An HTTP client that trusts the emulator's authority alone."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = entra.ca_file
        yield session


@pytest.fixture
def secret_form(entra: EntraEmulator) -> Dict[str, str]:
    """The form of a good request with a secret."""
    return {
        "grant_type": "client_credentials",
        "client_id": entra.app.client_id,
        "client_secret": entra.app.secret,
        "scope": "https://management.azure.com/.default",
    }


@pytest.fixture
def token_url(entra: EntraEmulator) -> str:
    """The v2 token endpoint of the default tenant."""
    return f"{entra.authority}/{entra.tenant.id}/oauth2/v2.0/token"


@pytest.fixture
def ask(client: requests.Session, secret_form: Dict[str, str], token_url: str) -> Callable[..., requests.Response]:
    """Sends the good request, with the given changes; None leaves a parameter out."""

    def send(url: str = "", headers: Any = None, **changes: Any) -> requests.Response:
        form = {name: value for name, value in {**secret_form, **changes}.items() if value is not None}
        return client.post(url or token_url, data=form, headers=headers, timeout=10)

    return send


@pytest.fixture
def make_assertion(entra: EntraEmulator, token_url: str) -> Callable[..., str]:
    """Makes a client assertion signed by the default app's certificate, with the given changes.

    `pem` signs with another key and names another certificate; `headers` replaces the headers; other keywords change
    claims, None leaves one out.
    """

    def make(*, alg: str = "PS256", pem: bytes = b"", headers: Any = None, **changes: Any) -> str:
        pem = pem or entra.app.certificate_pem
        now = entra.clock.now()
        claims = {
            "aud": token_url,
            "iss": entra.app.client_id,
            "sub": entra.app.client_id,
            "jti": str(uuid.uuid4()),
            "nbf": now,
            "exp": now + 600,
            **changes,
        }
        key = serialization.load_pem_private_key(pem, None)
        return jwt.encode(
            {name: value for name, value in claims.items() if value is not None},
            key,  # type: ignore[arg-type]
            algorithm=alg,
            headers={"x5t#S256": thumbprint(pem)} if headers is None else headers,
        )

    return make


@pytest.fixture
def with_assertion(ask: Callable[..., requests.Response]) -> Callable[[str], requests.Response]:
    """Sends the good request, with an assertion instead of the secret."""

    def send(assertion: str, **changes: Any) -> requests.Response:
        return ask(client_secret=None, client_assertion=assertion, client_assertion_type=JWT_BEARER, **changes)

    return send


def thumbprint(pem: bytes) -> str:
    """The `x5t#S256` of the first certificate in `pem`."""
    from cryptography.hazmat.primitives.hashes import SHA256

    digest = load_pem_x509_certificate(pem).fingerprint(SHA256())
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture
def claims_of() -> Callable[[Any], Dict[str, Any]]:
    """Reads the claims of an answer's access token, without checking them."""

    def read(answer: requests.Response) -> Dict[str, Any]:
        assert answer.status_code == 200, answer.text
        return jwt.decode(answer.json()["access_token"], options={"verify_signature": False})

    return read


@pytest.fixture
def wait_for() -> Callable[[Callable[[], bool]], None]:
    """Waits until something holds, for at most 10 seconds."""

    def wait(holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < end, "it does not come true"
            time.sleep(0.01)

    return wait
