"""Azure Arc: the proof that a program may read a protected directory; and Cloud Shell."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import jwt
import pytest
import requests

from entra_emulator import EntraEmulator, ManagedIdentity
from entra_emulator.hosts.arc import ArcHost

VAULT = "https://vault.azure.net"

Ask = Callable[..., requests.Response]


@pytest.fixture
def mine(entra: EntraEmulator) -> ManagedIdentity:
    return entra.add_managed_identity("mine")


@pytest.fixture
def host(entra: EntraEmulator, mine: ManagedIdentity) -> Iterator[ArcHost]:
    with entra.host("arc", identities=[mine], environ={}) as host:
        yield host


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Sends one request; `key` is what the Authorization header carries."""
    with requests.Session() as session:
        session.trust_env = False

        def send(host: ArcHost, key: str = "", headers: Any = None, **changes: Any) -> requests.Response:
            query = {"api-version": "2020-06-01", "resource": VAULT, **changes}
            authorization = {"Authorization": f"Basic {key}"} if key else {}
            return session.get(
                host.environment["IDENTITY_ENDPOINT"],
                params={name: value for name, value in query.items() if value is not None},
                headers={"Metadata": "true", **authorization} if headers is None else headers,
                timeout=10,
            )

        yield send


@pytest.fixture
def exchange(ask: Ask) -> Ask:
    """The whole exchange: the answer to the second request."""

    def run(host: ArcHost, **changes: Any) -> requests.Response:
        return ask(host, key_file(ask(host, **changes)).read_text(), **changes)

    return run


def key_file(answer: requests.Response) -> Path:
    assert answer.status_code == 401
    scheme, _, path = answer.headers["WWW-Authenticate"].partition(" realm=")
    assert scheme == "Basic"
    return Path(path)


def test_challenge(host: ArcHost, ask: Ask):
    """The first answer is 401 and names a key file in the directory, which not everybody can read."""
    file = key_file(ask(host))

    assert host.keys == (file,)
    assert (str(file.parent), file.suffix) == (host.key_directory, ".key")
    assert 0 < file.stat().st_size <= 4096
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0


def test_token(entra: EntraEmulator, host: ArcHost, exchange: Ask):
    """With the key the second answer is a token of the system-assigned identity, with numbers as strings."""
    entra.clock.freeze(1_700_000_000)
    body = exchange(host).json()

    assert body.pop("access_token")
    assert body == {
        "expires_in": "86400",
        "expires_on": "1700086400",
        "not_before": "1699999995",
        "resource": VAULT,
        "token_type": "Bearer",
    }


def test_key_opens_once(host: ArcHost, ask: Ask):
    """A key is good for one request; the next one brings another challenge."""
    file = key_file(ask(host))
    key = file.read_text()

    assert ask(host, key).status_code == 200
    assert not file.exists()
    assert host.keys == ()
    assert key_file(ask(host, key)) != file


@pytest.mark.parametrize("authorization", ["Basic wrong", "Bearer {}", "{}", "Basic {}x", "Basic", "Basic é"])
def test_wrong_keys(host: ArcHost, ask: Ask, authorization: str):
    """Anything but the key gets another challenge, and uses nothing up."""
    key = key_file(ask(host)).read_text()
    headers = {"Metadata": "true", "Authorization": authorization.format(key).encode()}

    assert key_file(ask(host, headers=headers)).exists()
    assert ask(host, key).status_code == 200


def test_user_assigned(host: ArcHost, exchange: Ask, mine: ManagedIdentity):
    """An identity can be named by each of its ids, and the answer confirms the one that was asked for."""
    by_client_id = exchange(host, client_id=mine.client_id.upper()).json()
    by_object_id = exchange(host, object_id=mine.object_id).json()
    by_resource_id = exchange(host, msi_res_id=mine.resource_id).json()

    assert [appid(one) for one in (by_client_id, by_object_id, by_resource_id)] == [mine.client_id] * 3
    assert by_client_id["client_id"] == mine.client_id
    assert by_object_id["object_id"] == mine.object_id
    assert by_resource_id["msi_res_id"] == mine.resource_id
    assert "client_id" not in by_object_id


def test_old_agent(entra: EntraEmulator, exchange: Ask, mine: ManagedIdentity):
    """An old agent, and a selector by a wrong name: the system-assigned identity answers, and nothing is confirmed."""
    with entra.host("arc", user_assigned=False, identities=[mine], environ={}) as old:
        ignored = exchange(old, client_id=mine.client_id).json()
    with entra.host("arc", identities=[mine], environ={}) as new:
        misspelt = exchange(new, mi_res_id=mine.resource_id).json()

    for body in (ignored, misspelt):
        assert appid(body) == entra.managed_identity.client_id
        assert not {"client_id", "object_id", "msi_res_id", "mi_res_id"} & set(body)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, "Identity not found"),
        ({"client_id": "a", "object_id": "b"}, "one of client_id"),
        ({"resource": "https://unknown.example"}, "AADSTS500011"),
    ],
)
def test_refusals_with_a_key(host: ArcHost, exchange: Ask, changes: Dict[str, str], text: str):
    """What is wrong with the request itself shows when the key is right."""
    answer = exchange(host, **changes)

    assert answer.status_code == 400
    assert text in answer.json()["error_description"]


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({}, {}),
        ({"api-version": "2018-02-01"}, None),
        ({"resource": None}, None),
        ({"resource": [VAULT, VAULT]}, None),
    ],
)
def test_refusals_before_the_challenge(host: ArcHost, ask: Ask, changes: Dict[str, Any], headers: Any):
    """No key is made for a bad request."""
    assert ask(host, headers=headers, **changes).status_code == 400
    assert host.keys == ()


def test_key_directory(entra: EntraEmulator, ask: Ask, tmp_path: Path):
    """A directory that was not there is made, and goes again with the keys nobody has used."""
    directory = tmp_path / "azcmagent" / "tokens"
    with entra.host("arc", key_directory=directory, environ={}) as host:
        assert key_file(ask(host)).parent == directory

    assert list(tmp_path.iterdir()) == []


def test_existing_key_directory(entra: EntraEmulator, ask: Ask, tmp_path: Path):
    """A directory that was there stays, with what was in it."""
    (tmp_path / "other").touch()
    with entra.host("arc", key_directory=str(tmp_path), environ={}) as host:
        key_file(ask(host))

    assert [one.name for one in tmp_path.iterdir()] == ["other"]


def test_key_ending(entra: EntraEmulator, ask: Ask):
    """A line break after the key is not part of it."""
    with entra.host("arc", key_ending="\r\n", environ={}) as host:
        written = key_file(ask(host)).read_bytes().decode()

        assert written.endswith("\r\n")
        assert ask(host, written.rstrip()).status_code == 200


# ---- Cloud Shell ----


@pytest.fixture
def shell(entra: EntraEmulator) -> Iterator[Ask]:
    """Sends a form to the endpoint of a Cloud Shell."""
    with entra.host("cloud-shell", environ={}) as host, requests.Session() as session:
        session.trust_env = False

        def send(data: Any, headers: Any = None) -> requests.Response:
            headers = {"Metadata": "true"} if headers is None else headers
            return session.post(host.environment["MSI_ENDPOINT"], data=data, headers=headers, timeout=10)

        yield send


@pytest.mark.parametrize("resource", ["https://management.azure.com/", "https://management.azure.com", VAULT])
def test_cloud_shell(entra: EntraEmulator, shell: Ask, resource: str):
    """Cloud Shell gives tokens of the person, also when a form asks for an identity."""
    body = shell({"resource": resource, "client_id": "x"}).json()
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})

    assert (claims["aud"], claims["idtyp"], claims["scp"]) == (resource, "user", "user_impersonation")
    assert (body["resource"], body["token_type"], body["expires_in"]) == (resource, "Bearer", "3600")
    assert int(body["expires_on"]) - int(body["not_before"]) == 3600


@pytest.mark.parametrize(
    ("data", "headers", "code"),
    [
        ({"resource": VAULT}, {}, "bad_request_102"),
        ({"resource": "https://unknown.example"}, None, "AudienceNotSupported"),
        ({"resource": "api://entra-emulator"}, None, "AudienceNotSupported"),
        ({}, None, "BadRequest"),
        ({"resource": [VAULT, VAULT]}, None, "BadRequest"),
        (b"resource=%FF", None, "BadRequest"),
    ],
)
def test_cloud_shell_refusals(shell: Ask, data: Any, headers: Any, code: str):
    """It has a list of audiences, and an error shape of its own."""
    answer = shell(data, headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_cloud_shell_audiences(entra: EntraEmulator):
    """The list of audiences can be another."""
    with entra.host("cloud-shell", audiences=["api://entra-emulator"], environ={}) as host:
        answer = requests.post(
            host.environment["MSI_ENDPOINT"],
            data={"resource": "api://entra-emulator"},
            headers={"Metadata": "true"},
            timeout=10,
            proxies={"http": ""},
        )

    assert answer.status_code == 200


def appid(body: Dict[str, Any]) -> str:
    return jwt.decode(body["access_token"], options={"verify_signature": False})["appid"]
