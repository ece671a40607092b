"""What all hosts have in common: the environment, the life, the faults, and the directory behind them."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from typing import Any, Callable, Dict, Iterator

import jwt
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from entra_emulator import EntraEmulator, ManagedIdentity
from entra_emulator.hosts.expiry import STYLES, write_expiry
from entra_emulator.hosts.registry import HOSTS
from entra_emulator.hosts.variables import HOST_VARIABLES

VAULT = "https://vault.azure.net"
WITH_ENDPOINT = sorted(set(HOSTS) - {"workload-identity"})


@pytest.fixture
def plain() -> Iterator[requests.Session]:
    """An HTTP client without settings from the environment."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.mark.parametrize("kind", sorted(HOSTS))
def test_environment_of_one_host_alone(entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch, kind: str):
    """Inside a host its variables are set, those of all other hosts are not, and afterwards all is as before."""
    for name in HOST_VARIABLES:
        monkeypatch.setenv(name, "before")
    before = dict(os.environ)

    with entra.host(kind) as host:
        inside = {name: os.environ[name] for name in HOST_VARIABLES if name in os.environ}
        expected = {name: value for name, value in host.environment.items() if name in HOST_VARIABLES}

    assert inside == expected
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("imds", set()),
        ("app-service", {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET"}),
        ("app-service-2017", {"MSI_ENDPOINT", "MSI_SECRET"}),
        ("arc", {"IDENTITY_ENDPOINT", "IMDS_ENDPOINT"}),
        (
            "service-fabric",
            {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IDENTITY_API_VERSION"},
        ),
        ("cloud-shell", {"MSI_ENDPOINT", "AZUREPS_HOST_ENVIRONMENT"}),
        ("azure-ml", {"MSI_ENDPOINT", "MSI_SECRET", "DEFAULT_IDENTITY_CLIENT_ID"}),
        (
            "workload-identity",
            {"AZURE_AUTHORITY_HOST", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"},
        ),
    ],
)
def test_names_of_variables(entra: EntraEmulator, kind: str, names: set[str]):
    """Each host sets the variables it is recognized by."""
    environ: Dict[str, str] = {}
    with entra.host(kind, environ=environ):
        found = {name for name in environ if name in HOST_VARIABLES}

    assert found == names
    assert environ == {}


def test_another_environment(entra: EntraEmulator):
    """With `environ`, the environment of the process stays as it is."""
    before = dict(os.environ)
    with entra.host("arc", environ={}):
        assert dict(os.environ) == before


async def test_async_with(entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch):
    """A host can be entered from a coroutine, and talked to from the same event loop."""
    monkeypatch.delenv("MSI_ENDPOINT", raising=False)
    async with entra.host("cloud-shell") as host:
        port = host.port
        assert "MSI_ENDPOINT" in os.environ
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.0 404")
        writer.close()
        await writer.wait_closed()

    assert "MSI_ENDPOINT" not in os.environ
    assert not accepts(port)


def test_stop_closes_hosts(key_dir: Any, monkeypatch: pytest.MonkeyPatch):
    """A host does not outlive its emulator: its port is free and the environment restored."""
    monkeypatch.setenv("MSI_ENDPOINT", "before")
    threads = threading.active_count()
    with EntraEmulator(key_dir=key_dir) as entra:
        host = entra.host("azure-ml").open()
        pod = entra.host("identity-binding").open()
        port = host.port

    assert (host.is_open, pod.is_open) == (False, False)
    assert os.environ["MSI_ENDPOINT"] == "before"
    assert not accepts(port)
    assert threading.active_count() == threads


def test_reset_closes_hosts(entra: EntraEmulator):
    """A host does not outlive the directory that its identities are in."""
    environ: Dict[str, str] = {}
    host = entra.host("arc", environ=environ).open()
    entra.reset()

    assert not host.is_open
    assert environ == {}


def test_two_hosts_at_a_time(entra: EntraEmulator, plain: requests.Session):
    """Hosts nest: the inner environment wins, and both answer."""
    with entra.host("cloud-shell") as outer, entra.host("azure-ml") as inner:
        assert os.environ["MSI_ENDPOINT"] == inner.environment["MSI_ENDPOINT"]
        assert outer.port != inner.port
        assert plain.get(outer.url, timeout=10).status_code == plain.get(inner.url, timeout=10).status_code == 404


def test_opened_twice(entra: EntraEmulator):
    """A host is open or it is not."""
    host = entra.host("imds")
    with host, pytest.raises(RuntimeError, match="open already"):
        host.open()
    host.close()
    with host:
        assert host.is_open
    assert repr(host) == "ImdsHost(closed)"


def test_closed_host(entra: EntraEmulator):
    """What needs an open host says so."""
    with pytest.raises(RuntimeError, match="not open"):
        _ = entra.host("imds").url
    with pytest.raises(RuntimeError, match="not open"):
        entra.host("identity-binding").rotate_token()


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("vm", {}, r"kind: expected one of imds, .*, got 'vm'"),
        ("imds", {"via": "proxy"}, "via: expected"),
        ("app-service", {"flavour": "mac"}, "flavour: expected"),
        ("azure-ml", {"expires_on": "roman"}, "expires_on: expected"),
        ("workload-identity", {"token_lifetime": 60}, "token_lifetime: expected 3600 to 86400"),
        ("identity-binding", {"path": "binding"}, "path: expected"),
    ],
)
def test_bad_options(entra: EntraEmulator, kind: str, options: Dict[str, Any], error: str):
    """Options that cannot be meant are refused by name."""
    with pytest.raises(ValueError, match=error):
        entra.host(kind, **options)


def test_options_of_another_host(entra: EntraEmulator):
    """A host does not have the options of another one; an identity is not its name."""
    with pytest.raises(TypeError, match="location"):
        entra.host("arc", location="westeurope")
    with pytest.raises(TypeError, match="identities: expected"):
        entra.host("arc", identities=["mine"])


def test_not_running(key_dir: Any):
    """A host needs a running emulator."""
    with pytest.raises(RuntimeError, match="not running"):
        EntraEmulator(key_dir=key_dir).host("imds")


# ---- what can go wrong ----


@pytest.mark.parametrize("kind", WITH_ENDPOINT)
def test_faults_by_name(entra: EntraEmulator, kind: str):
    """Each host is an endpoint for scripted faults, and its errors are JSON of its own."""
    entra.faults.add(kind, status=429, headers={"Retry-After": "7"})
    with entra.host(kind) as host:
        answer = ask_token(host)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert isinstance(answer.json(), dict)
    assert entra.requests.last(kind).status == 429
    assert [one.status for one in host.requests] == [429]


@pytest.mark.parametrize("kind", WITH_ENDPOINT)
def test_black_hole(entra: EntraEmulator, kind: str):
    """A silent host takes the request and never answers; it does again when it has recovered."""
    with entra.host(kind) as host:
        host.black_hole()
        with pytest.raises(requests.ReadTimeout):
            ask_token(host, timeout=0.2)
        assert (host.requests.count(), host.requests[0].fault) == (1, "no answer")

        host.recover()
        assert ask_token(host).status_code < 500


def test_black_hole_lets_go(entra: EntraEmulator, wait_for: Callable[[Callable[[], bool]], None]):
    """Who waits for a silent host loses the connection when it recovers or closes."""
    with entra.host("arc") as host:
        host.black_hole()
        failures = [wait_in_background(host) for _ in range(2)]
        wait_for(lambda: [one.fault for one in host.requests] == ["no answer"] * 2)
        host.recover()
        assert all(isinstance(failure(), requests.ConnectionError) for failure in failures)


def test_refused(entra: EntraEmulator):
    """A host can refuse connections and keeps its port for later."""
    with entra.host("app-service") as host:
        url, port = host.url, host.port
        host.refuse()
        host.refuse()
        assert not accepts(port)

        host.recover()
        host.recover()
        assert accepts(port)
        assert host.url == url
        host.refuse()

    assert not accepts(port)


def test_captive_portal(entra: EntraEmulator):
    """An HTML page in the host's place."""
    with entra.host("cloud-shell") as host:
        host.captive_portal()
        answer = ask_token(host)
        host.recover()
        after = ask_token(host)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert after.headers["Content-Type"].startswith("application/json")


# ---- identities ----


def test_identities_are_in_the_directory(entra: EntraEmulator):
    """A managed identity has the three ids that requests name it by, and the same ones in every run."""
    mine = entra.add_managed_identity("mine")

    assert mine.name == "mine"
    assert mine.is_user_assigned and not entra.managed_identity.is_user_assigned
    assert mine.resource_id.endswith("/Microsoft.ManagedIdentity/userAssignedIdentities/mine")
    assert entra.managed_identity.resource_id.endswith("/Microsoft.Compute/virtualMachines/entra-emulator-vm")
    assert (
        len({mine.client_id, mine.object_id, entra.managed_identity.client_id, entra.managed_identity.object_id}) == 4
    )

    entra.reset()
    with pytest.raises(LookupError, match="not registered any more"):
        _ = mine.object_id
    assert entra.add_managed_identity("mine").client_id == mine.client_id


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("", {}, "name: expected"),
        ("a/b", {}, "name: expected"),
        ("mine", {"client_id": "x"}, "client_id: expected a GUID"),
        ("mine", {"token_lifetime": 0}, "token_lifetime: expected positive seconds"),
    ],
)
def test_bad_identities(entra: EntraEmulator, name: str, options: Dict[str, Any], error: str):
    """Arguments that cannot be meant are refused by name."""
    with pytest.raises(ValueError, match=error):
        entra.add_managed_identity(name, **options)


def test_same_name_twice(entra: EntraEmulator):
    """A tenant has one identity of a name."""
    entra.add_managed_identity("mine")
    with pytest.raises(ValueError, match="is taken"):
        entra.add_managed_identity("mine")


def test_token_of_an_identity_opens_the_protected_api(
    entra: EntraEmulator, client: requests.Session, plain: requests.Session
):
    """Tokens of managed identities are signed like all others, and carry the roles of the identity."""
    mine = entra.add_managed_identity("mine", roles={"api://entra-emulator": ["Orders.Read"]})
    entra.required_roles = ["Orders.Read"]
    with entra.host("azure-ml", identities=[mine], token_lifetime=600) as host:
        token = ask_token(host, resource="api://entra-emulator", clientid=mine.client_id).json()["access_token"]
    answer = client.get(entra.resource_url, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    assert answer.json() == {
        "appid": mine.client_id,
        "oid": mine.object_id,
        "tid": entra.tenant.id,
        "roles": ["Orders.Read"],
    }
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["idtyp"] == "app"
    assert claims["xms_mirid"] == mine.resource_id
    assert claims["exp"] - entra.clock.now() <= 600


def test_a_managed_identity_has_no_secret(entra: EntraEmulator, ask: Callable[..., requests.Response]):
    """At Entra's own endpoint no secret works for it."""
    answer = ask(client_id=entra.managed_identity.client_id)

    assert answer.json()["error_codes"] == [7000215]


def test_assign_and_unassign(entra: EntraEmulator):
    """Identities come and go while a host runs."""
    mine = entra.add_managed_identity("mine")
    with entra.host("azure-ml") as host:
        before = ask_token(host, clientid=mine.client_id).status_code
        host.assign(mine)
        host.assign(mine)
        during = ask_token(host, clientid=mine.client_id).status_code
        host.unassign(mine)
        after = ask_token(host, clientid=mine.client_id).status_code
        with pytest.raises(ValueError, match="not assigned"):
            host.unassign(mine)

    assert (before, during, after) == (400, 200, 400)
    assert host.identities == ()


def test_permissive(entra: EntraEmulator):
    """A permissive emulator knows every resource."""
    entra.settings.strict = False
    with entra.host("azure-ml") as host:
        answer = ask_token(host, resource="https://unknown.example", clientid=entra.managed_identity.client_id)

    assert jwt.decode(answer.json()["access_token"], options={"verify_signature": False})["aud"] == (
        "https://unknown.example"
    )


def test_nothing_secret_in_a_repr(entra: EntraEmulator):
    """Secrets of hosts do not show, and their headers are redacted in the log."""
    with entra.host("azure-ml") as host:
        ask_token(host)

        assert host.secret not in repr(host) + repr(host.requests[0])
    assert isinstance(entra.managed_identity, ManagedIdentity)
    assert repr(entra.managed_identity) == f"ManagedIdentity(client_id='{entra.managed_identity.client_id}')"


# ---- the end of a token's life, in writing ----


@pytest.mark.parametrize(
    ("epoch", "style", "text"),
    [
        (1560999478, "epoch", 1560999478),
        (1560999478, "text", "1560999478"),
        (1560999478, "linux", "06/20/2019 02:57:58 +00:00"),
        (1579152252, "windows", "1/16/2020 5:24:12 AM +00:00"),
        (43212, "windows", "1/1/1970 12:00:12 PM +00:00"),
        (12, "windows", "1/1/1970 12:00:12 AM +00:00"),
        (1729281097, "iso", "2024-10-18T19:51:37.0000000+00:00"),
    ],
)
def test_expiry_styles(epoch: int, style: str, text: Any):
    """The styles are those that have been seen."""
    assert write_expiry(epoch, style) == text


@given(st.integers(0, 4_000_000_000), st.sampled_from(sorted({*STYLES} - {"epoch", "text"})))
def test_expiry_dates_can_be_read_back(epoch: int, style: str):
    """No date loses anything."""
    import datetime

    pattern = {
        "linux": "%m/%d/%Y %H:%M:%S %z",
        "windows": "%m/%d/%Y %I:%M:%S %p %z",
        "iso": "%Y-%m-%dT%H:%M:%S.0000000%z",
    }[style]

    assert datetime.datetime.strptime(str(write_expiry(epoch, style)), pattern).timestamp() == epoch


# ---- asking ----


def ask_token(host: Any, *, timeout: float = 10, **query: str) -> requests.Response:
    """A request that a host of any kind knows as one for a token; the secrets are right."""
    environment = host.environment
    resource = {"resource": VAULT, **query}
    with requests.Session() as session:
        session.trust_env = False
        if host.kind == "imds":
            url = f"{host.url}/metadata/identity/oauth2/token"
            return session.get(
                url, params={"api-version": "2018-02-01", **resource}, headers={"Metadata": "true"}, timeout=timeout
            )
        if host.kind == "cloud-shell":
            headers = {"Metadata": "true"}
            return session.post(environment["MSI_ENDPOINT"], data=resource, headers=headers, timeout=timeout)
        if host.kind == "identity-binding":
            return ask_api_server(host, timeout)
        if "MSI_SECRET" in environment:
            return session.get(
                environment["MSI_ENDPOINT"],
                params={"api-version": "2017-09-01", **resource},
                headers={"secret": environment["MSI_SECRET"]},
                timeout=timeout,
            )
        return session.get(
            environment["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-07-01-preview" if host.kind == "service-fabric" else "2020-06-01", **resource},
            headers={"Metadata": "true", "Secret": environment.get("IDENTITY_HEADER", "")},
            timeout=timeout,
            verify=False,
        )


def ask_api_server(host: Any, timeout: float) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        url = f"{host.url}/{host.identity.tenant_id}/oauth2/v2.0/token"
        return session.post(url, data={}, timeout=timeout, verify=False)


pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


def wait_in_background(host: Any) -> Callable[[], Any]:
    """Ask in a thread; what is returned waits for the outcome."""
    outcome = []

    def run() -> None:
        try:
            outcome.append(ask_token(host))
        except requests.RequestException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Any:
        thread.join(10)
        return outcome[0]

    return result


def accepts(port: int) -> bool:
    """Whether 127.0.0.1 accepts connections at `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True
