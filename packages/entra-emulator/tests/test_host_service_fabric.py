"""Service Fabric: its certificate, its secret, its errors, and the way to report a token as rejected."""

from __future__ import annotations

import hashlib
import socket
import ssl
from typing import Any, Callable, Dict, Iterator

import jwt
import pytest
import requests
from requests.adapters import HTTPAdapter

from entra_emulator import EntraEmulator, ManagedIdentity
from entra_emulator.hosts.service_fabric import ServiceFabricHost

VAULT = "https://vault.azure.net"

Ask = Callable[..., requests.Response]

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


class Pinned(HTTPAdapter):
    """Accepts the certificate of one thumbprint, whoever has issued it."""

    def __init__(self, thumbprint: str) -> None:
        self._thumbprint = thumbprint
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, assert_fingerprint=self._thumbprint, **options)


@pytest.fixture
def mine(entra: EntraEmulator) -> ManagedIdentity:
    return entra.add_managed_identity("mine")


@pytest.fixture
def host(entra: EntraEmulator, mine: ManagedIdentity) -> Iterator[ServiceFabricHost]:
    with entra.host("service-fabric", identities=[mine], environ={}) as host:
        yield host


@pytest.fixture
def ask(host: ServiceFabricHost) -> Iterator[Ask]:
    """Sends the good request, with the given changes; None leaves a parameter out."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", Pinned(host.environment["IDENTITY_SERVER_THUMBPRINT"]))

        def send(headers: Any = None, **changes: Any) -> requests.Response:
            query = {"api-version": "2019-07-01-preview", "resource": VAULT, **changes}
            return session.get(
                host.environment["IDENTITY_ENDPOINT"],
                params={name: value for name, value in query.items() if value is not None},
                headers={"Secret": host.secret} if headers is None else headers,
                timeout=10,
                verify=False,
            )

        yield send


def test_token(entra: EntraEmulator, ask: Ask):
    """The answer has the documented members, and the end of the token's life is a number."""
    entra.clock.freeze(1_700_000_000)
    body = ask().json()

    assert body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_on": 1700086400, "resource": VAULT}


@pytest.mark.parametrize(
    ("changes", "headers", "status", "code"),
    [
        ({}, {}, 400, "SecretHeaderNotFound"),
        ({}, {"Secret": "wrong"}, 404, "ManagedIdentityNotFound"),
        ({"principalId": "00000000-0000-0000-0000-000000000000"}, None, 404, "ManagedIdentityNotFound"),
        ({"resource": None}, None, 400, "ArgumentNullOrEmpty"),
        ({"api-version": "2018-02-01"}, None, 400, "InvalidApiVersion"),
        ({"api-version": None}, None, 400, "InvalidApiVersion"),
        ({"resource": "https://unknown.example"}, None, 500, "InternalServerError"),
    ],
)
def test_refusals(ask: Ask, changes: Dict[str, Any], headers: Any, status: int, code: str):
    """Each documented error has its code and a correlation id."""
    answer = ask(headers=headers, **changes)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["correlationId"]


def test_selectors(entra: EntraEmulator, ask: Ask, mine: ManagedIdentity):
    """`principalId` names a user-assigned identity; the selectors of other hosts are ignored."""
    assert appid(ask(principalId=mine.object_id)) == mine.client_id
    assert appid(ask(client_id=mine.client_id)) == entra.managed_identity.client_id


def test_rejected_token(host: ServiceFabricHost, ask: Ask):
    """A token is repeated until it is reported as rejected, by its hash; hashes of others change nothing."""
    first = ask().json()["access_token"]
    other = hashlib.sha256(b"tok").hexdigest()
    digest = hashlib.sha256(first.encode()).hexdigest()

    assert ask().json()["access_token"] == first
    assert ask(token_sha256_to_refresh=other).json()["access_token"] == first
    second = ask(token_sha256_to_refresh=digest).json()["access_token"]
    assert second != first
    assert ask(token_sha256_to_refresh=digest).json()["access_token"] == second
    assert host.refresh_hashes == [other, digest, digest]


def test_capabilities(ask: Ask):
    """Client capabilities appear in the token, and such tokens are kept apart."""
    answer = ask(xms_cc="cp1")

    assert jwt.decode(answer.json()["access_token"], options={"verify_signature": False})["xms_cc"] == ["CP1"]
    assert "xms_cc" not in jwt.decode(ask().json()["access_token"], options={"verify_signature": False})


def test_thumbprint(host: ServiceFabricHost):
    """The variable holds the SHA-1 of the certificate, which nobody trusts and which is for another name."""
    der = presented_certificate(host)

    assert host.environment["IDENTITY_SERVER_THUMBPRINT"] == hashlib.sha1(der).hexdigest().upper()
    assert host.thumbprint_sha256 == hashlib.sha256(der).hexdigest().upper()
    context = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(der))
    with (
        socket.create_connection(("127.0.0.1", host.port), timeout=10) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(connection, server_hostname="localhost")


def test_rotated_certificate(host: ServiceFabricHost):
    """After a rotation the variable is out of date, and a client that looks never sends its secret."""
    before = host.thumbprint
    after = host.rotate_certificate()

    assert before == host.environment["IDENTITY_SERVER_THUMBPRINT"] != after
    assert hashlib.sha1(presented_certificate(host)).hexdigest().upper() == after
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", Pinned(before))
        with pytest.raises(requests.exceptions.SSLError):
            session.get(host.environment["IDENTITY_ENDPOINT"], verify=False, timeout=10)
    assert host.requests.count() == 0


def presented_certificate(host: ServiceFabricHost) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", host.port), timeout=10) as connection,
        context.wrap_socket(connection) as tls,
    ):
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return der


def appid(answer: requests.Response) -> str:
    return jwt.decode(answer.json()["access_token"], options={"verify_signature": False})["appid"]
