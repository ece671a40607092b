"""Pods of AKS: the token file that kubelet keeps fresh, and the proxy of identity bindings."""

from __future__ import annotations

import socket
import ssl
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import jwt
import pytest
import requests
from requests.adapters import HTTPAdapter

from entra_emulator import EntraEmulator, ManagedIdentity
from entra_emulator.hosts.identity_binding import IdentityBindingHost
from entra_emulator.hosts.workload_identity import WorkloadIdentityHost

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Ask = Callable[..., requests.Response]


@pytest.fixture
def mine(entra: EntraEmulator) -> ManagedIdentity:
    return entra.add_managed_identity("mine")


@pytest.fixture
def pod(entra: EntraEmulator, mine: ManagedIdentity) -> Iterator[WorkloadIdentityHost]:
    with entra.host("workload-identity", identities=[mine], environ={}) as host:
        yield host


def form(host: Any, **changes: str) -> Dict[str, str]:
    environment = host.environment
    return {
        "grant_type": "client_credentials",
        "client_id": environment["AZURE_CLIENT_ID"],
        "client_assertion_type": JWT_BEARER,
        "client_assertion": Path(environment["AZURE_FEDERATED_TOKEN_FILE"]).read_text(),
        "scope": "https://vault.azure.net/.default",
        **changes,
    }


def claims(token: str) -> Dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


@pytest.fixture
def sign_in(client: requests.Session) -> Ask:
    """Exchanges the token of a pod at Entra."""

    def send(host: Any, **changes: str) -> requests.Response:
        environment = host.environment
        url = f"{environment['AZURE_AUTHORITY_HOST']}{environment['AZURE_TENANT_ID']}/oauth2/v2.0/token"
        return client.post(url, data=form(host, **changes), timeout=10)

    return send


# ---- workload identity ----


def test_exchange(pod: WorkloadIdentityHost, mine: ManagedIdentity, sign_in: Ask):
    """Entra takes the service account's token for the identity."""
    token = claims(sign_in(pod).json()["access_token"])

    assert (token["appid"], token["oid"], token["xms_mirid"]) == (mine.client_id, mine.object_id, mine.resource_id)


def test_service_account_token(pod: WorkloadIdentityHost, entra: EntraEmulator):
    """The token in the file is the cluster's, for the service account, for an hour."""
    token = claims(Path(pod.token_file).read_text())

    assert (token["iss"], token["sub"]) == (entra.federation_issuer("aks-cluster"), pod.subject)
    assert (token["aud"], token["exp"] - token["iat"]) == ("api://AzureADTokenExchange", 3600)
    assert pod.issuer == token["iss"]


def test_rotation_by_the_clock(pod: WorkloadIdentityHost, entra: EntraEmulator, sign_in: Ask):
    """When 80 % of a token's life is over there is another one in the file."""
    entra.clock.freeze()
    first = pod.rotate_token()
    entra.clock.advance(2879)
    assert Path(pod.token_file).read_text() == first

    entra.clock.advance(1)
    second = Path(pod.token_file).read_text()
    assert second != first
    entra.clock.advance(3600 + 300)  # Entra allows five minutes
    assert sign_in(pod, client_assertion=second).json()["error_codes"] == [700024]
    assert sign_in(pod).status_code == 200
    entra.clock.advance(-7200)
    assert sign_in(pod).status_code == 200


def test_rotation_on_request(pod: WorkloadIdentityHost):
    """A new token takes the place of the old one in one step, as in a projected volume."""
    path = Path(pod.token_file)
    before, inode = path.read_text(), path.stat().st_ino
    fresh = pod.rotate_token()

    assert before != path.read_text() == fresh
    assert path.stat().st_ino != inode
    if sys.platform != "win32":
        assert path.is_symlink()
        names = sorted(one.name for one in path.parent.iterdir())
        assert names[0].startswith("..2")  # the directory with the files of this moment
        assert names[1:] == ["..data", "azure-identity-token"]


def test_written_token(pod: WorkloadIdentityHost, sign_in: Ask):
    """A test can put anything into the file."""
    pod.write_token("broken\n")

    assert Path(pod.token_file).read_text() == "broken\n"
    assert sign_in(pod).json()["error_codes"] == [50027]


def test_unannotated_service_account(entra: EntraEmulator):
    """Without the annotation there is no client id."""
    with entra.host("workload-identity", client_id_variable=False, environ={}) as host:
        assert "AZURE_CLIENT_ID" not in host.environment
        assert host.identity is entra.managed_identity


def test_another_service_account(entra: EntraEmulator, mine: ManagedIdentity, pod: WorkloadIdentityHost, sign_in: Ask):
    """The identity trusts the service account it is bound to, and no other one."""
    other = entra.add_managed_identity("other")
    with entra.host("workload-identity", identities=[other], subject="system:serviceaccount:a:b", environ={}) as host:
        foreign = Path(host.token_file).read_text()

    assert sign_in(pod, client_assertion=foreign).json()["error_codes"] == [700213]


# ---- identity bindings ----


class Named(HTTPAdapter):
    """Says another server name than the URL has, and expects a certificate for it."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, server_hostname=self._name, assert_hostname=self._name, **options)


@pytest.fixture
def bound(entra: EntraEmulator, mine: ManagedIdentity) -> Iterator[IdentityBindingHost]:
    with entra.host("identity-binding", identities=[mine], environ={}) as host:
        yield host


def ask_proxy(host: IdentityBindingHost, tenant: str = "", **changes: str) -> requests.Response:
    environment = host.environment
    with requests.Session() as session:
        session.trust_env = False
        session.verify = environment["AZURE_KUBERNETES_CA_FILE"]
        session.mount("https://", Named(environment["AZURE_KUBERNETES_SNI_NAME"]))
        url = f"{environment['AZURE_KUBERNETES_TOKEN_PROXY']}/{tenant or host.identity.tenant_id}/oauth2/v2.0/token"
        return session.post(url, data=form(host, **changes), timeout=10)


def test_proxy(bound: IdentityBindingHost, mine: ManagedIdentity, entra: EntraEmulator):
    """The proxy exchanges the pod's token; its address needs the right server name, its authority is in a file."""
    token = claims(ask_proxy(bound).json()["access_token"])

    assert (token["appid"], token["xms_mirid"]) == (mine.client_id, mine.resource_id)
    assert bound.server_names == [bound.sni_name]
    assert [one.endpoint for one in bound.requests] == ["identity-binding"]
    assert entra.requests.count("token") == 0
    assert bound.sni_name.endswith(".ests.aks")


def test_capabilities_through_the_proxy(bound: IdentityBindingHost):
    """The proxy passes the rest of the form on."""
    answer = ask_proxy(bound, claims='{"access_token":{"xms_cc":{"values":["CP1"]}}}')

    assert claims(answer.json()["access_token"])["xms_cc"] == ["CP1"]


def test_tokens_for_the_proxy_are_for_nobody_else(bound: IdentityBindingHost, sign_in: Ask):
    """Entra does not know the cluster's issuer."""
    assert claims(Path(bound.token_file).read_text())["aud"] == "api://AKSIdentityBinding"
    assert sign_in(bound).json()["error_codes"] == [700211]


def test_foreign_assertions(bound: IdentityBindingHost, entra: EntraEmulator):
    """The proxy takes tokens of this cluster, for itself and for the pod's service account."""

    def code(**changes: Any) -> int:
        good = {"issuer": bound.issuer, "subject": bound.subject, "audience": "api://AKSIdentityBinding"}
        return ask_proxy(bound, client_assertion=entra.federated_token(**{**good, **changes})).json()["error_codes"][0]

    assert code(audience="api://AzureADTokenExchange") == 700212
    assert code(subject="system:serviceaccount:other:other") == 700213
    assert code(issuer=entra.federation_issuer("other")) == 700211
    assert code(lifetime=-600) == 700024
    assert ask_proxy(bound, client_assertion="x").json()["error_codes"] == [50027]
    assert ask_proxy(bound, client_assertion_type="x").json()["error_codes"] == [9002313]
    assert ask_proxy(bound, tenant="unknown.example").json()["error_codes"] == [90002]


def test_identity_without_binding(bound: IdentityBindingHost, entra: EntraEmulator):
    """The cluster's role says who may use an identity."""
    answer = ask_proxy(bound, client_id=entra.managed_identity.client_id)

    assert (answer.status_code, answer.json()["kind"]) == (403, "Status")
    assert "use-managed-identity" in answer.json()["message"]


def handshake(host: IdentityBindingHost, name: Any) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = int(host.url.rpartition(":")[2].partition("/")[0])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname=name) as tls,
    ):
        return tls.getpeercert(binary_form=True) or b""


def test_server_names(bound: IdentityBindingHost):
    """Unknown names are refused in the handshake; no name, or its own, leads to the API server."""
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        handshake(bound, "other.ests.aks")

    proxy, unnamed, api_server = handshake(bound, bound.sni_name), handshake(bound, None), handshake(bound, "localhost")
    assert unnamed == api_server != proxy
    assert bound.server_names == ["other.ests.aks", bound.sni_name, None, "localhost"]


def test_api_server_is_no_proxy(bound: IdentityBindingHost):
    """Who does not say the name reaches the API server, which has no such path."""
    with requests.Session() as session:
        session.trust_env = False
        url = f"{bound.url}/{bound.identity.tenant_id}/oauth2/v2.0/token"
        with pytest.warns(match="Unverified HTTPS request"):
            answer = session.post(url, data=form(bound), verify=False, timeout=10)

    assert (answer.status_code, answer.json()["kind"]) == (404, "Status")


def test_rotated_authority(bound: IdentityBindingHost):
    """After a rotation the file holds the new authority, and the old one does not verify any more."""
    old = bound.ca_pem
    assert ask_proxy(bound).status_code == 200
    new = bound.rotate_ca()

    assert old != new == Path(bound.ca_file).read_bytes()
    assert ask_proxy(bound).status_code == 200
    bound.write_ca_file(old)
    with pytest.raises(requests.exceptions.SSLError):
        ask_proxy(bound)
    bound.write_ca_file(old + new)
    assert ask_proxy(bound).status_code == 200


def test_late_authority_file(bound: IdentityBindingHost):
    """The proxy can be ahead of the file."""
    bound.rotate_ca(write=False)
    with pytest.raises(requests.exceptions.SSLError):
        ask_proxy(bound)
    bound.write_ca_file(bound.ca_pem)

    assert ask_proxy(bound).status_code == 200


def test_authority_in_a_variable(entra: EntraEmulator, mine: ManagedIdentity):
    """On demand the authority is in a variable, and the proxy has a path."""
    with entra.host("identity-binding", identities=[mine], ca_data=True, path="/binding/", environ={}) as host:
        assert "AZURE_KUBERNETES_CA_FILE" not in host.environment
        assert host.environment["AZURE_KUBERNETES_CA_DATA"].encode() == host.ca_pem
        assert host.environment["AZURE_KUBERNETES_TOKEN_PROXY"].endswith("/binding")
        host.environment["AZURE_KUBERNETES_CA_FILE"] = host.ca_file
        assert ask_proxy(host).status_code == 200


def test_token_file_is_private(pod: WorkloadIdentityHost):
    """Only the user can read the token."""
    if sys.platform != "win32":
        assert Path(pod.token_file).stat().st_mode & 0o077 == 0
