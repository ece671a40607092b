"""App Service in both API versions, and the compute of Azure Machine Learning, which speaks the older one."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator

import jwt
import pytest
import requests

from entra_emulator import EntraEmulator, ManagedIdentity
from entra_emulator.hosts.app_service import AppServiceHost
from entra_emulator.hosts.azure_ml import AzureMlHost

VAULT = "https://vault.azure.net"
UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"

Ask = Callable[..., requests.Response]


@pytest.fixture
def mine(entra: EntraEmulator) -> ManagedIdentity:
    return entra.add_managed_identity("mine")


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Sends the request of an API version to a host, with the given changes; None leaves a parameter out."""
    with requests.Session() as session:
        session.trust_env = False

        def send(host: Any, version: str = "2019-08-01", headers: Any = None, **changes: Any) -> requests.Response:
            environment, new = host.environment, version == "2019-08-01"
            query = {"api-version": version, "resource": VAULT, **changes}
            if headers is None:
                headers = {"X-IDENTITY-HEADER" if new else "secret": host.secret}
            return session.get(
                environment["IDENTITY_ENDPOINT" if new else "MSI_ENDPOINT"],
                params={name: value for name, value in query.items() if value is not None},
                headers=headers,
                timeout=10,
            )

        yield send


@pytest.fixture
def host(entra: EntraEmulator, mine: ManagedIdentity) -> Iterator[AppServiceHost]:
    with entra.host("app-service", identities=[mine], environ={}) as host:
        yield host


def test_2019(entra: EntraEmulator, host: AppServiceHost, ask: Ask):
    """The answer has the documented members: no `expires_in`, the client id in upper case."""
    entra.clock.freeze(1_700_000_000)
    body = ask(host).json()

    assert body.pop("access_token")
    assert body == {
        "client_id": entra.managed_identity.client_id.upper(),
        "expires_on": "1700086400",
        "resource": VAULT,
        "token_type": "Bearer",
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("client_id", "client_id"),
        ("principal_id", "object_id"),
        ("object_id", "object_id"),
        ("mi_res_id", "resource_id"),
    ],
)
def test_selectors(host: AppServiceHost, ask: Ask, mine: ManagedIdentity, name: str, kind: str):
    """2019-08-01 knows an identity by any of its ids."""
    assert ask(host, **{name: getattr(mine, kind)}).json()["client_id"] == mine.client_id.upper()


@pytest.mark.parametrize("name", ["msi_res_id", "resource_id", "clientid"])
def test_unknown_selectors(entra: EntraEmulator, host: AppServiceHost, ask: Ask, mine: ManagedIdentity, name: str):
    """A selector by another name is ignored: the system-assigned identity answers."""
    assert ask(host, **{name: mine.resource_id}).json()["client_id"] == entra.managed_identity.client_id.upper()


@pytest.mark.parametrize(
    ("changes", "headers", "status", "text"),
    [
        ({}, {}, 401, "secret"),
        ({}, {"X-IDENTITY-HEADER": "wrong"}, 401, "secret"),
        ({}, {"secret": "wrong"}, 401, "secret"),
        ({"api-version": "2018-02-01"}, None, 400, "api-version"),
        ({"api-version": None}, None, 400, "api-version"),
        ({"resource": None}, None, 400, "'resource' is missing"),
        ({"client_id": UNKNOWN_ID}, None, 400, "No User Assigned or Delegated Managed Identity found"),
        ({"client_id": "a", "mi_res_id": "b"}, None, 400, "mutually exclusive"),
        ({"resource": "https://unknown.example"}, None, 500, "unexpected error"),
    ],
)
def test_refusals(host: AppServiceHost, ask: Ask, changes: Dict[str, Any], headers: Any, status: int, text: str):
    """Bad requests get the error shape of App Service; a wrong resource gets a vague 500."""
    answer = ask(host, headers=headers, **changes)

    assert answer.status_code == answer.json()["statusCode"] == status
    assert text in answer.json()["message"]
    assert answer.json()["correlationId"]


def test_secret_of_the_other_version(host: AppServiceHost, ask: Ask):
    """Each version has a header of its own."""
    assert ask(host, headers={"secret": host.secret}).status_code == 401
    assert ask(host, "2017-09-01", headers={"X-IDENTITY-HEADER": host.secret}).status_code == 401


def test_no_system_assigned_identity(host: AppServiceHost, ask: Ask, mine: ManagedIdentity):
    """No selector always means the system-assigned identity, even where there is one other only."""
    host.system_assigned = False

    assert ask(host).status_code == 400
    assert ask(host, client_id=mine.client_id).status_code == 200


def test_cache(entra: EntraEmulator, host: AppServiceHost, ask: Ask):
    """The back end keeps a token for eight hours."""
    entra.clock.freeze()
    first = ask(host).json()["access_token"]
    entra.clock.advance(8 * 3600 - 1)
    second = ask(host).json()["access_token"]
    entra.clock.advance(1)

    assert second == first
    assert ask(host).json()["access_token"] != first


@pytest.mark.parametrize(
    ("flavour", "date", "path"),
    [
        ("linux", "11/15/2023 22:13:20 +00:00", "/msi/token"),
        ("windows", "11/15/2023 10:13:20 PM +00:00", "/MSI/token/"),
    ],
)
def test_2017(entra: EntraEmulator, ask: Ask, mine: ManagedIdentity, flavour: str, date: str, path: str):
    """The older version writes dates, in the manner of the operating system, and echoes no client id."""
    entra.clock.freeze(1_700_000_000)
    with entra.host("app-service-2017", flavour=flavour, identities=[mine], environ={}) as host:
        body = ask(host, "2017-09-01", clientid=mine.client_id).json()
        ignored = ask(host, "2017-09-01", client_id=UNKNOWN_ID).json()

    assert appid(body) == mine.client_id
    assert appid(ignored) == entra.managed_identity.client_id
    assert body["expires_on"] == date
    assert set(body) == {"access_token", "expires_on", "resource", "token_type"}
    assert host.environment["MSI_ENDPOINT"].endswith(path)
    assert entra.requests.count("app-service-2017") == 2


def test_automation(entra: EntraEmulator, ask: Ask):
    """Azure Automation wants the metadata header as well."""
    with entra.host("app-service", require_metadata=True, environ={}) as host:
        secret = {"X-IDENTITY-HEADER": host.secret}

        assert ask(host).status_code == 400
        assert ask(host, headers={**secret, "Metadata": "true"}).status_code == 200


# ---- Azure Machine Learning ----


@pytest.fixture
def compute(entra: EntraEmulator, mine: ManagedIdentity) -> Iterator[AzureMlHost]:
    with entra.host("azure-ml", identities=[mine], environ={}) as host:
        yield host


def test_default_identity(entra: EntraEmulator, compute: AzureMlHost, ask: Ask, mine: ManagedIdentity):
    """A variable names the identity to ask for; without an identity it holds no id."""
    assert compute.environment["DEFAULT_IDENTITY_CLIENT_ID"] == mine.client_id
    assert appid(ask(compute, "2017-09-01", clientid=mine.client_id).json()) == mine.client_id
    with entra.host("azure-ml", system_assigned=False, environ={}) as host:
        assert host.environment["DEFAULT_IDENTITY_CLIENT_ID"] == "clientid"
    with entra.host("azure-ml", environ={}) as host:
        assert host.environment["DEFAULT_IDENTITY_CLIENT_ID"] == entra.managed_identity.client_id
    with entra.host("azure-ml", identities=[mine], default_identity=entra.managed_identity, environ={}) as host:
        assert host.environment["DEFAULT_IDENTITY_CLIENT_ID"] == entra.managed_identity.client_id


@pytest.mark.parametrize("changes", [{}, {"clientid": "clientid"}, {"client_id": UNKNOWN_ID}])
def test_token_of_the_user(entra: EntraEmulator, compute: AzureMlHost, ask: Ask, changes: Dict[str, str]):
    """Without the client id of an identity the token is one of the person's."""
    body = ask(compute, "2017-09-01", **changes).json()
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})

    assert (claims["idtyp"], claims["upn"]) == ("user", f"user@{entra.tenant.domain}")
    assert "xms_mirid" not in claims


@pytest.mark.parametrize(
    ("style", "value"),
    [
        ("epoch", 1700086400),
        ("text", "1700086400"),
        ("linux", "11/15/2023 22:13:20 +00:00"),
        ("iso", "2023-11-15T22:13:20.0000000+00:00"),
    ],
)
def test_expiry(entra: EntraEmulator, ask: Ask, mine: ManagedIdentity, style: str, value: Any):
    """The end of a token's life comes in any of the styles that have been seen."""
    entra.clock.freeze(1_700_000_000)
    with entra.host("azure-ml", identities=[mine], expires_on=style, environ={}) as host:
        assert ask(host, "2017-09-01", clientid=mine.client_id).json()["expires_on"] == value


@pytest.mark.parametrize(
    ("changes", "headers", "status"),
    [
        ({}, {}, 401),
        ({"api-version": "2019-08-01"}, None, 400),
        ({"resource": None}, None, 400),
        ({"clientid": UNKNOWN_ID}, None, 400),
        ({"resource": "https://unknown.example"}, None, 500),
        ({"resource": "https://unknown.example", "clientid": "mine"}, None, 500),
    ],
)
def test_compute_refusals(compute: AzureMlHost, ask: Ask, changes: Dict[str, Any], headers: Any, status: int):
    """Bad requests are refused."""
    assert ask(compute, "2017-09-01", headers=headers, **changes).json()["statusCode"] == status


def appid(body: Dict[str, Any]) -> str:
    return jwt.decode(body["access_token"], options={"verify_signature": False})["appid"]
