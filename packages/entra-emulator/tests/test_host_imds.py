"""IMDS: what it insists on, which identity it takes, how its cache shows, and who answers in its place."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Tuple

import jwt
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entra_emulator import EntraEmulator, ManagedIdentity
from entra_emulator.hosts.imds import ImdsHost

VAULT = "https://vault.azure.net"
TOKEN = "/metadata/identity/oauth2/token"
GOOD = {"api-version": "2018-02-01", "resource": VAULT}

Ask = Callable[..., requests.Response]


@pytest.fixture
def mine(entra: EntraEmulator) -> ManagedIdentity:
    return entra.add_managed_identity("mine")


@pytest.fixture
def host(entra: EntraEmulator, mine: ManagedIdentity) -> Iterator[ImdsHost]:
    with entra.host("imds", identities=[mine], environ={}) as host:
        yield host


@pytest.fixture
def ask(host: ImdsHost) -> Iterator[Ask]:
    """Sends the good request, with the given changes; None leaves a parameter out."""
    with requests.Session() as session:
        session.trust_env = False

        def send(path: str = TOKEN, headers: Any = None, **changes: Any) -> requests.Response:
            query = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
            headers = {"Metadata": "true"} if headers is None else headers
            return session.get(host.url + path, params=query, headers=headers, timeout=10)

        yield send


def test_token(entra: EntraEmulator, ask: Ask):
    """The answer has the documented members, numbers as strings, and a token of the system-assigned identity."""
    entra.clock.freeze(1_700_000_000)
    body = ask().json()
    claims = jwt.decode(body.pop("access_token"), options={"verify_signature": False})

    assert body == {
        "client_id": entra.managed_identity.client_id,
        "expires_in": "86400",
        "expires_on": "1700086400",
        "ext_expires_in": "86400",
        "not_before": "1699999995",
        "resource": VAULT,
        "token_type": "Bearer",
    }
    assert (claims["aud"], claims["appid"], claims["oid"], claims["idtyp"], claims["xms_mirid"]) == (
        VAULT,
        entra.managed_identity.client_id,
        entra.managed_identity.object_id,
        "app",
        entra.managed_identity.resource_id,
    )


@pytest.mark.parametrize("kind", ["client_id", "object_id", "resource_id"])
@pytest.mark.parametrize("change", [str, str.upper])
def test_selectors(ask: Ask, mine: ManagedIdentity, kind: str, change: Callable[[str], str]):
    """An identity is named by one of its three ids, in any case."""
    name = "msi_res_id" if kind == "resource_id" else kind

    assert ask(**{name: change(getattr(mine, kind))}).json()["client_id"] == mine.client_id


@pytest.mark.parametrize(
    ("changes", "headers", "error", "text"),
    [
        ({}, {}, "bad_request_102", "metadata header"),
        ({}, {"Metadata": "True"}, "bad_request_102", "metadata header"),
        ({}, {"Metadata": "true", "X-Forwarded-For": "10.0.0.1"}, "invalid_request", "X-Forwarded-For"),
        ({"resource": None}, None, "invalid_request", "'resource' is missing"),
        ({"resource": ""}, None, "invalid_request", "'resource' is missing"),
        ({"resource": "https://unknown.example"}, None, "invalid_resource", "AADSTS500011"),
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, None, "invalid_request", "Identity not found"),
        ({"msi_res_id": "/subscriptions/x"}, None, "invalid_request", "Identity not found"),
        ({"client_id": "a", "object_id": "b"}, None, "invalid_request", "one of client_id, object_id"),
        ({"resource": [VAULT, VAULT]}, None, "invalid_request", "more than once"),
        ({"foo": ["1", "2"]}, None, "invalid_request", "'foo' appears more than once"),
    ],
)
def test_refusals(ask: Ask, changes: Dict[str, Any], headers: Any, error: str, text: str):
    """Bad requests get 400 and the documented error."""
    answer = ask(headers=headers, **changes)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert text in answer.json()["error_description"]


@pytest.mark.parametrize("version", [None, "", "2017-12-01", "latest"])
def test_api_version(ask: Ask, version: Any):
    """Without a version the service knows, it lists the newest ones."""
    answer = ask(**{"api-version": version})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Bad request. api-version")
    assert answer.json()["newest-versions"][0] == "2021-02-01"


def test_unknown_source(ask: Ask):
    """Other paths of the identity endpoint are unknown sources, all else is not found."""
    assert (ask("/metadata/identity/token").status_code, ask("/metadata/identity/token").json()["error"]) == (
        401,
        "unknown_source",
    )
    assert ask("/other").status_code == 404


def test_no_selector(entra: EntraEmulator, host: ImdsHost, ask: Ask, mine: ManagedIdentity):
    """Without a selector: the system-assigned identity, else the only one there is; several need a selector."""
    assert ask().json()["client_id"] == entra.managed_identity.client_id
    host.system_assigned = False
    assert ask().json()["client_id"] == mine.client_id
    host.assign(entra.add_managed_identity("other"))
    assert ask().json()["error_description"].startswith("Multiple user assigned identities exist")
    for identity in host.identities:
        host.unassign(identity)
    assert ask().json() == {"error": "invalid_request", "error_description": "Identity not found"}
    host.system_assigned = True
    assert host.system_assigned
    assert ask().json()["client_id"] == entra.managed_identity.client_id


def test_machine_has_no_selector_by_resource(entra: EntraEmulator, ask: Ask):
    """The machine's own resource id names no identity."""
    assert ask(msi_res_id=entra.managed_identity.resource_id).status_code == 400


def test_injected_parameters(ask: Ask, mine: ManagedIdentity):
    """A value that was not encoded ends at the next `&`: what follows is one more parameter."""
    path = f"{TOKEN}?api-version=2018-02-01&resource={VAULT}&client_id={mine.client_id}"
    answer = ask(path, **{"api-version": None, "resource": None})

    assert answer.json()["client_id"] == mine.client_id


def test_cache(entra: EntraEmulator, host: ImdsHost, ask: Ask):
    """Until a token expires the same one comes back, with less life left, and without the roles granted meanwhile."""
    entra.clock.freeze()
    first = ask().json()
    entra.managed_identity.grant(VAULT, "Secrets.Read")
    entra.clock.advance(86_399)
    second = ask().json()
    entra.clock.advance(1)
    third = ask().json()

    assert second["access_token"] == first["access_token"]
    assert (first["expires_in"], second["expires_in"], third["expires_in"]) == ("86400", "1", "86400")
    assert third["access_token"] != first["access_token"]
    assert jwt.decode(third["access_token"], options={"verify_signature": False})["roles"] == ["Secrets.Read"]
    host.forget_tokens()
    assert ask().json()["access_token"] != third["access_token"]


def test_cache_knows_resource_and_identity(ask: Ask, mine: ManagedIdentity):
    """Each resource, as it was written, and each identity has a token of its own."""
    tokens = {
        ask(**changes).json()["access_token"]
        for changes in ({}, {"resource": f"{VAULT}/"}, {"client_id": mine.client_id})
    }

    assert len(tokens) == 3


def test_updating(entra: EntraEmulator, host: ImdsHost, ask: Ask):
    """While it is updated it answers 410, for some seconds of the emulator's clock."""
    entra.clock.freeze()
    host.updating(70)
    statuses = [ask().status_code]
    entra.clock.advance(69)
    statuses.append(ask().status_code)
    entra.clock.advance(1)
    statuses.append(ask().status_code)
    host.updating()
    host.recover()
    statuses.append(ask().status_code)

    assert statuses == [410, 410, 200, 200]


@pytest.mark.parametrize("as_text", [False, True])
def test_docker_desktop(host: ImdsHost, ask: Ask, as_text: bool):
    """Docker Desktop says 403 and that the network is unreachable, in JSON or as text."""
    host.docker_desktop(as_text=as_text)
    answer = ask()

    assert answer.status_code == 403
    assert "unreachable network" in (answer.text if as_text else answer.json()["error"])
    assert answer.headers["Content-Type"].startswith("text/plain" if as_text else "application/json")


def test_faults_queue_up(entra: EntraEmulator, ask: Ask):
    """The script of a bad day: 404, then 429 with a time to wait, then the token."""
    entra.faults.add("imds", times=1, status=404)
    entra.faults.add("imds", times=1, status=429, headers={"Retry-After": "7"})

    assert [ask().status_code for _ in range(3)] == [404, 429, 200]


def test_limits(entra: EntraEmulator):
    """On demand it refuses what exceeds 20 requests in a second."""
    with entra.host("imds", limits=True, environ={}) as host, requests.Session() as session:
        session.trust_env = False
        host._recent.extend([float("inf")] * 20)  # the window is full, whatever the speed of this machine
        answer = session.get(host.url + TOKEN, params=GOOD, headers={"Metadata": "true"}, timeout=10)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


def test_compute(entra: EntraEmulator, host: ImdsHost, ask: Ask):
    """The instance metadata tell the region, in JSON and as text, and want the header and a version too."""
    path = "/metadata/instance/compute"
    compute = ask(path).json()

    assert compute["location"] == "westeurope"
    assert compute["resourceId"] == entra.managed_identity.resource_id
    assert ask(f"{path}/location", format="text").text == "westeurope"
    assert ask(f"{path}/location").json() == "westeurope"
    assert ask(path, headers={}).status_code == 400
    assert ask(path, **{"api-version": None}).status_code == 400
    assert [one.endpoint for one in host.requests] == ["imds-compute"] * 5


def test_pod_identity(entra: EntraEmulator):
    """On demand a variable leads clients here."""
    with entra.host("imds", via="pod-identity", location="northeurope", environ={}) as host:
        assert host.environment == {"AZURE_POD_IDENTITY_AUTHORITY_HOST": host.url}


def test_imds_address(key_dir: Any):
    """The address can be given, if nobody else can reach it."""
    with EntraEmulator(key_dir=key_dir, imds_address=("127.0.0.3", 0)) as entra, entra.host("imds") as host:
        assert host.url == f"http://127.0.0.3:{host.port}"
        with requests.Session() as session:
            session.trust_env = False
            assert session.get(host.url + TOKEN, timeout=10).status_code == 400
    with pytest.raises(ValueError, match=r"imds_address: expected 169.254.169.254 or a loopback"):
        EntraEmulator(key_dir=key_dir, imds_address=("10.0.0.4", 80))


QUERY = st.lists(
    st.tuples(st.sampled_from(["resource", "api-version", "client_id", "object_id", "msi_res_id", "x"]), st.text()),
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=QUERY)
def test_any_query(host: ImdsHost, query: List[Tuple[str, str]]):
    """Whatever the query is, the answer is 400 and JSON, or a token for a good one."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            host.url + TOKEN,
            params=[(name, value.encode("utf-8", "replace")) for name, value in [*GOOD.items(), *query]],
            headers={"Metadata": "true"},
            timeout=10,
        )

    assert (answer.status_code == 200) == ("access_token" in answer.json())
    assert answer.status_code in (200, 400)
