"""Fixtures of the emulator's own tests: keys in a temporary directory, and a client that trusts the authority."""

from __future__ import annotations

import base64
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Iterator
from urllib.parse import urlencode

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


class Program:
    """A program that people sign in to, with the requests of a client library.

    Every keyword changes a parameter; None leaves it out.
    """

    VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    REDIRECT_URI = "http://localhost:8400"
    SCOPE = "https://management.azure.com/.default offline_access openid profile"

    def __init__(self, entra: EntraEmulator, client: requests.Session, client_id: str, secret: str = "") -> None:
        self.entra = entra
        self.client = client
        self.client_id = client_id
        self.secret = secret

    def authorize_url(self, tenant: str = "organizations", version: str = "/v2.0", **changes: Any) -> str:
        """Where a person signs in."""
        query = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.REDIRECT_URI,
            "scope": self.SCOPE,
            "state": "a state",
            "response_mode": "form_post",
            "code_challenge": self.CHALLENGE,
            "code_challenge_method": "S256",
            "nonce": "a nonce",
            "client_info": "1",
            "prompt": "select_account",
        }
        return f"{self.entra.authority}/{tenant}/oauth2{version}/authorize?{urlencode(_changed(query, changes))}"

    def code(self, user: Any = None, **changes: Any) -> str:
        """Let a person sign in, and return the code."""
        return self.entra.sign_in(self.authorize_url(**changes), user, deliver=False).fields["code"]

    def ask(
        self, grant_type: str, tenant: str = "organizations", version: str = "/v2.0", **form: Any
    ) -> requests.Response:
        """Send a token request."""
        known = {"grant_type": grant_type, "client_id": self.client_id, "client_info": "1"}
        if self.secret:
            known["client_secret"] = self.secret
        url = f"{self.entra.authority}/{tenant}/oauth2{version}/token"
        return self.client.post(url, data=_changed(known, form), timeout=10)

    def redeem(self, code: str, **changes: Any) -> requests.Response:
        """Redeem an authorization code."""
        form = {
            "code": code,
            "redirect_uri": self.REDIRECT_URI,
            "code_verifier": self.VERIFIER,
            "scope": self.SCOPE,
            **changes,
        }
        return self.ask("authorization_code", **form)

    def refresh(self, token: str, **changes: Any) -> requests.Response:
        """Redeem a refresh token."""
        return self.ask("refresh_token", **{"refresh_token": token, "scope": self.SCOPE, **changes})

    def password(self, user: Any = None, **changes: Any) -> requests.Response:
        """Send a user name and a password."""
        who = user or self.entra.user
        form = {"username": who.username, "password": who.password, "scope": self.SCOPE, **changes}
        return self.ask("password", **form)

    def signed_in(self, user: Any = None) -> Dict[str, Any]:
        """The token answer of a person who has signed in with a browser."""
        answer = self.redeem(self.code(user))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def _changed(form: Dict[str, str], changes: Dict[str, Any]) -> Dict[str, str]:
    return {name: value for name, value in {**form, **changes}.items() if value is not None}


@pytest.fixture
def program(entra: EntraEmulator, client: requests.Session) -> Program:
    """The developer client: public, known in every tenant."""
    return Program(entra, client, "04b07795-8ddb-461a-bbee-02f9e1bf7b46")


@pytest.fixture
def make_program(entra: EntraEmulator, client: requests.Session) -> Callable[..., Program]:
    """Makes a program of a registered app."""

    def make(app: Any, **changes: Any) -> Program:
        return Program(entra, client, app.client_id, **changes)

    return make


@pytest.fixture
def refused() -> Callable[..., Dict[str, Any]]:
    """Checks that an answer is a refusal with this code. Returns its body."""

    def check(answer: requests.Response, code: int, error: str = "", suberror: str = "") -> Dict[str, Any]:
        body = dict(answer.json())
        assert (body.get("error_codes"), answer.status_code // 100) == ([code], 4), answer.text
        assert body["error_description"].startswith(f"AADSTS{code}: ")
        if error:
            assert (body["error"], body.get("suberror", "")) == (error, suberror)
        return body

    return check


@pytest.fixture
def claims_in() -> Callable[[str], Dict[str, Any]]:
    """Reads the claims of a token, without checking them."""

    def read(token: str) -> Dict[str, Any]:
        return dict(jwt.decode(token, options={"verify_signature": False}))

    return read
