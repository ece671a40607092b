"""Workloads in Kubernetes end to end: a projected token that is replaced, and a cluster's token proxy behind TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from loopback import Proxy
from worlds import World

from azure.identity import CredentialUnavailableError
from entra_emulator import EntraEmulator


@pytest.fixture
def pod(entra: EntraEmulator) -> Iterator[Any]:
    """A pod with workload identity."""
    with entra.host("workload-identity") as host:
        yield host


@pytest.fixture
def bound(entra: EntraEmulator) -> Iterator[Any]:
    """A pod with an identity binding, whose proxy has a path and whose authority is in a file."""
    with entra.host("identity-binding", path="/binding") as host:
        yield host


def get(world: World, credential: Any, scope: str = "api://entra-emulator/.default", **options: Any) -> Any:
    return world.ask(credential.get_token, scope, **options)


def failure(world: World, credential: Any, **options: Any) -> Any:
    with pytest.raises(ClientAuthenticationError) as caught:
        get(world, credential, **options)
    return caught.value


def claims(token: Any) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token.token, options={"verify_signature": False})
    return read


# --- the exchange


def test_the_pods_variables_are_enough(world: World, entra: EntraEmulator, pod: Any) -> None:
    """One request, and the token is the identity's."""
    token = get(world, world.make("WorkloadIdentityCredential"))

    assert claims(token)["appid"] == pod.identity.client_id
    assert [request.endpoint for request in entra.requests] == ["token"]


def test_a_federated_token_file_anywhere_will_do(
    world: World, entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only a pod's."""
    for name, value in entra.environment("federated").items():
        monkeypatch.setenv(name, value)
    token = get(world, world.make("WorkloadIdentityCredential"))

    assert claims(token)["appid"] == entra.app.client_id


def test_the_default_chain_finds_it(world: World, pod: Any) -> None:
    token = get(world, world.make("DefaultAzureCredential"))

    assert claims(token)["appid"] == pod.identity.client_id


def test_an_old_token_is_replaced_before_it_is_needed(world: World, entra: EntraEmulator, pod: Any, clock: Any) -> None:
    """A day later the cluster has written many tokens, and the one of then is used."""
    credential = world.make("WorkloadIdentityCredential")
    first = get(world, credential)
    clock.advance(90_000)
    second = get(world, credential)

    assert first.token != second.token
    assert entra.requests.count("token") == 2


def test_a_token_that_the_service_calls_expired_is_read_again(world: World, entra: EntraEmulator, pod: Any) -> None:
    """The cluster replaced the file between reading and sending."""
    fresh = pod.rotate_token()
    pod.write_token(_expired(entra, pod))
    entra.faults.add("token", nth=1, times=1, latency=0.001, where=lambda request: pod.write_token(fresh) is None)
    token = get(world, world.make("WorkloadIdentityCredential"))

    assert claims(token)["appid"] == pod.identity.client_id
    assert entra.requests.count("token") == 2


def _expired(entra: EntraEmulator, pod: Any) -> str:
    return entra.federated_token(
        subject=pod.subject,
        issuer=pod.issuer,
        claims={"exp": entra.clock.now() - 3600, "nbf": entra.clock.now() - 7200},
    )


def test_an_expired_token_is_explained(world: World, entra: EntraEmulator, pod: Any) -> None:
    """By what the file itself says, and without the token."""
    pod.write_token(_expired(entra, pod))
    error = failure(world, world.make("WorkloadIdentityCredential"))

    assert error.error_codes == (700024,)
    assert f"The token in {pod.token_file} expired at " in error.message
    assert entra.requests.count("token") == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [({"subject": "system:serviceaccount:a:other"}, 700213), ({"audience": "api://other"}, 700212)],
    ids=["subject", "audience"],
)
def test_a_mismatch_is_explained(
    world: World, entra: EntraEmulator, pod: Any, change: dict[str, str], code: int
) -> None:
    """By what is in the file, to compare with what is configured."""
    facts = {"subject": pod.subject, "audience": "api://AzureADTokenExchange", **change}
    pod.write_token(entra.federated_token(issuer=pod.issuer, **facts))
    error = failure(world, world.make("WorkloadIdentityCredential"))

    assert error.error_codes == (code,)
    assert (
        f"The token in {pod.token_file} has issuer '{pod.issuer}', subject '{facts['subject']}', audience "
        f"'{facts['audience']}'."
    ) in error.message


def test_a_missing_file_is_told_before_anything_is_sent(world: World, entra: EntraEmulator, pod: Any) -> None:
    credential = world.make("WorkloadIdentityCredential", token_file_path=pod.token_file + ".no")
    error = failure(world, credential)

    assert isinstance(error, CredentialUnavailableError)
    assert f"({pod.token_file}.no: No such file or directory)" in error.message
    assert len(entra.requests) == 0


def test_continuous_access_evaluation_is_asked_for(world: World, pod: Any) -> None:
    token = get(world, world.make("WorkloadIdentityCredential"), enable_cae=True)

    assert claims(token)["xms_cc"] == ["CP1"]


# --- identity bindings


def test_the_proxy_exchanges_the_token(world: World, entra: EntraEmulator, bound: Any) -> None:
    """Under the name of the binding, and below the proxy's path. Microsoft Entra ID itself is not asked."""
    token = get(world, world.make("WorkloadIdentityCredential", enable_azure_proxy=True))

    assert claims(token)["appid"] == bound.identity.client_id
    assert [request.path for request in bound.requests] == [f"/binding/{bound.identity.tenant_id}/oauth2/v2.0/token"]
    assert bound.server_names == [bound.sni_name]
    assert [request for request in entra.requests if request.endpoint != "identity-binding"] == []


def test_authorities_may_be_in_a_variable(world: World, entra: EntraEmulator) -> None:
    with entra.host("identity-binding", ca_data=True) as host:
        token = get(world, world.make("WorkloadIdentityCredential", enable_azure_proxy=True))

        assert claims(token)["appid"] == host.identity.client_id


def test_without_the_keyword_the_refusal_says_what_is_missing(world: World, bound: Any) -> None:
    """Microsoft Entra ID does not take tokens that are meant for the proxy."""
    error = failure(world, world.make("WorkloadIdentityCredential"))

    assert error.error_codes[0] in (700211, 700212)
    assert "create the credential with enable_azure_proxy=True" in error.message


def test_the_exchange_passes_the_networks_proxy(world: World, bound: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name and authorities hold at the far end of the tunnel."""
    with Proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        get(world, world.make("WorkloadIdentityCredential", enable_azure_proxy=True))

        assert [request.method for request in proxy.requests] == ["CONNECT"]
    assert bound.server_names == [bound.sni_name]


def test_a_busy_proxy_is_asked_again(world: World, entra: EntraEmulator, bound: Any, pauses: list[float]) -> None:
    """At the same path."""
    entra.faults.add("identity-binding", times=1, status=503)
    get(world, world.make("WorkloadIdentityCredential", enable_azure_proxy=True))

    assert len({request.path for request in bound.requests}) == 1
    assert len(bound.requests) == 2


def test_renewed_authorities_are_noticed(world: World, entra: EntraEmulator, bound: Any) -> None:
    """While the file is empty or half-written, the old ones serve; as soon as it has the new ones, these do."""
    credential = world.make("WorkloadIdentityCredential", enable_azure_proxy=True)
    scopes = iter([f"{entra.add_resource(f'api://r{i}').identifiers[0]}/.default" for i in range(5)])

    def again() -> Any:
        return get(world, credential, next(scopes))

    again()
    old = bound.ca_pem
    for broken in (b"", old[:200], b"no certificate"):
        bound.write_ca_file(broken)
        again()
    bound.rotate_ca()
    again()

    assert len(bound.requests) == 5


def test_an_old_authority_is_not_trusted_any_more(
    world: World, entra: EntraEmulator, bound: Any, pauses: list[float]
) -> None:
    """The proxy's certificate comes from an authority that the file does not have: no request, no retry."""
    credential = world.make("WorkloadIdentityCredential", enable_azure_proxy=True)
    bound.rotate_ca(write=False)
    error = failure(world, credential)

    assert (
        f"the cluster's token proxy {bound.url}/{bound.identity.tenant_id}/oauth2/v2.0/token cannot be reached: the "
        "server's certificate is not trusted"
    ) in error.message
    assert (len(bound.requests), len(bound.server_names), pauses) == (0, 1, [])


def test_a_name_that_the_cluster_does_not_know_is_refused(
    world: World, bound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_KUBERNETES_SNI_NAME", "other.ests.aks")
    error = failure(world, world.make("WorkloadIdentityCredential", enable_azure_proxy=True, retry_total=0))

    assert "the TLS handshake failed (TLSV1_UNRECOGNIZED_NAME)" in error.message
    assert bound.server_names == ["other.ests.aks"]


def test_the_users_transport_does_not_serve_the_proxy(world: World, bound: Any, tmp_path: Path) -> None:
    """It could keep neither the name nor the authorities."""
    transport = world.transport(connection_verify=False)

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the user's transport was used")

    transport.send = refuse
    get(world, world.make("WorkloadIdentityCredential", enable_azure_proxy=True, transport=transport))

    assert len(bound.requests) == 1
