"""End to end over TLS on loopback: every way to authenticate gets a token that a protected API accepts, at the cost of
one request, in both worlds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, NamedTuple

import certificates
import credentials
import pytest
import requests
from leak_watch import planted
from worlds import World

from entra_emulator import EntraEmulator

PASSWORD = planted("certificate-password")


class Surroundings(NamedTuple):
    """What a way to authenticate may be set up with."""

    world: World
    entra: EntraEmulator
    folder: Path
    environment: pytest.MonkeyPatch

    def make(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A service principal credential of the default app."""
        entra = self.entra
        return self.world.make(name, entra.tenant.id, entra.app.client_id, *args, authority=entra.authority, **kwargs)

    def file(self, content: bytes) -> str:
        path = self.folder / "certificate"
        path.write_bytes(content)
        return str(path)

    def set(self, variables: Any) -> None:
        for name, value in variables.items():
            self.environment.setenv(name, value)


@pytest.fixture
def here(world: World, entra: EntraEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    return Surroundings(world, entra, tmp_path, monkeypatch)


def certificate(here: Surroundings, content: bytes, **options: Any) -> Any:
    here.entra.app.add_certificate(certificates.leaf_pem())
    return here.make("CertificateCredential", here.file(content), **options)


def chain_of_certificates(here: Surroundings) -> Any:
    """The certificate itself is unknown there; its authority and its name are known."""
    here.entra.app.add_subject_name_issuer("CN=leaf", certificates.authority_pem())
    content = certificates.authority_pem() + certificates.key_pem() + certificates.leaf_pem()
    return here.make("CertificateCredential", here.file(content), send_certificate_chain=True)


def environment(here: Surroundings, name: str, kind: str) -> Any:
    here.set(here.entra.environment(kind))
    here.set({"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"})
    return here.world.make(name)


def workload_identity(here: Surroundings) -> Any:
    here.set(here.entra.environment("federated"))
    return here.world.make("WorkloadIdentityCredential")


def assertion(here: Surroundings) -> Any:
    return here.make("ClientAssertionCredential", here.entra.federated_token)


def async_assertion(here: Surroundings) -> Any:
    """In the async world the callback may be a coroutine function."""
    if here.world.name == "sync":
        return assertion(here)

    async def callback() -> str:
        return here.entra.federated_token()

    return here.make("ClientAssertionCredential", callback)


def over_plain_http(here: Surroundings) -> Any:
    entra = here.entra
    return here.world.make(
        "ClientSecretCredential",
        entra.tenant.id,
        entra.app.client_id,
        credentials.SECRET,
        authority=entra.http_authority,
    )


WAYS: dict[str, Callable[[Surroundings], Any]] = {
    "secret": lambda here: here.make("ClientSecretCredential", credentials.SECRET),
    "certificate of the emulator": lambda here: here.make("CertificateCredential", here.entra.app.certificate_path),
    "PEM certificate": lambda here: certificate(here, certificates.usable_pem()),
    "encrypted PEM": lambda here: certificate(
        here, certificates.key_pem(password=PASSWORD.encode()) + certificates.leaf_pem(), password=PASSWORD
    ),
    "PKCS#12": lambda here: certificate(here, certificates.pkcs12_data()),
    "encrypted PKCS#12": lambda here: certificate(here, certificates.pkcs12_data(PASSWORD.encode()), password=PASSWORD),
    "certificate chain": chain_of_certificates,
    "assertion callback": assertion,
    "async assertion callback": async_assertion,
    "environment with secret": lambda here: environment(here, "EnvironmentCredential", "secret"),
    "environment with certificate": lambda here: environment(here, "EnvironmentCredential", "certificate"),
    "default chain with secret": lambda here: environment(here, "DefaultAzureCredential", "secret"),
    "default chain with certificate": lambda here: environment(here, "DefaultAzureCredential", "certificate"),
    "workload identity": workload_identity,
    "plain http on loopback": over_plain_http,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_token_costs_one_request_and_is_accepted(here: Surroundings, way: str) -> None:
    """Nothing is asked besides the token itself, and the second call asks nothing at all."""
    entra, world = here.entra, here.world
    credential = WAYS[way](here)
    before = len(entra.requests)
    token = world.ask(credential.get_token, entra.resource_scope)
    again = world.ask(credential.get_token_info, entra.resource_scope)

    assert [request.endpoint for request in entra.requests[before:]] == ["token"]
    assert token.token == again.token
    assert abs(token.expires_on - entra.clock.now() - 3600) <= 2
    answer = requests.get(
        entra.resource_url, headers={"Authorization": f"Bearer {token.token}"}, verify=entra.ca_file, timeout=10
    )
    assert (200, entra.app.client_id) == (answer.status_code, answer.json()["appid"])


def test_what_goes_over_the_wire(here: Surroundings) -> None:
    """A client credentials grant as the documentation has it: form, headers, and no Authorization header."""
    credential = WAYS["secret"](here)
    here.world.ask(credential.get_token, here.entra.resource_scope)
    request = here.entra.requests.last("token")

    assert ("POST", f"/{here.entra.tenant.id}/oauth2/v2.0/token") == (request.method, request.path)
    assert dict(request.form) == {
        "client_id": here.entra.app.client_id,
        "client_secret": credentials.SECRET,
        "grant_type": "client_credentials",
        "scope": here.entra.resource_scope,
    }
    assert "authorization" not in request.headers
    assert request.headers["accept"] == "application/json"
    assert len(request.headers["client-request-id"]) == 36


def test_connections_are_kept(here: Surroundings) -> None:
    """Ten credentials and thirty tokens come through one connection."""
    for _ in range(10):
        credential = WAYS["secret"](here)
        for scope in ("https://vault.azure.net/.default", "https://storage.azure.com/.default", "a://b/.default"):
            here.entra.settings.strict = False
            here.world.ask(credential.get_token, scope)

    assert (here.entra.requests.count("token"), here.entra.requests.connections("token")) == (30, 1)


# --- the cache, and time


def test_a_token_is_kept_until_it_is_due(here: Surroundings, clock: Any) -> None:
    credential = WAYS["secret"](here)
    first = here.world.ask(credential.get_token, here.entra.resource_scope)
    clock.advance(3600 - 301)
    assert here.world.ask(credential.get_token, here.entra.resource_scope).token == first.token
    clock.advance(2)
    renewed = here.world.ask(credential.get_token, here.entra.resource_scope)

    assert renewed.token != first.token
    assert renewed.expires_on >= first.expires_on + 3300
    assert here.entra.requests.count("token") == 2


def test_an_expired_token_is_never_returned(here: Surroundings, clock: Any, pauses: list[float]) -> None:
    from azure.core.exceptions import ClientAuthenticationError

    credential = WAYS["secret"](here)
    here.world.ask(credential.get_token, here.entra.resource_scope)
    clock.advance(3601)
    here.entra.faults.add("token", status=500, body="down", content_type="text/plain")

    with pytest.raises(ClientAuthenticationError):
        here.world.ask(credential.get_token, here.entra.resource_scope)


def test_in_the_last_minutes_a_failure_does_not_cost_a_valid_token(
    here: Surroundings, clock: Any, pauses: list[float]
) -> None:
    credential = WAYS["secret"](here)
    first = here.world.ask(credential.get_token, here.entra.resource_scope)
    clock.advance(3600 - 100)
    here.entra.faults.add("token", status=500, body="down", content_type="text/plain")

    assert here.world.ask(credential.get_token, here.entra.resource_scope).token == first.token
    asked = here.entra.requests.count("token")
    assert here.world.ask(credential.get_token, here.entra.resource_scope).token == first.token
    assert here.entra.requests.count("token") == asked  # the next try is in half a minute


def test_a_long_lived_token_is_renewed_at_half_its_life(here: Surroundings, clock: Any) -> None:
    here.entra.settings.token_lifetime = 7200
    credential = WAYS["secret"](here)
    info = here.world.ask(credential.get_token_info, here.entra.resource_scope)
    assert info.refresh_on == info.expires_on - 3600
    clock.advance(3601)
    here.world.ask(credential.get_token, here.entra.resource_scope)

    assert here.entra.requests.count("token") == 2


def test_a_renewed_assertion_is_asked_for_each_time(here: Surroundings, clock: Any) -> None:
    """The callback's assertion is short-lived: it is called for every acquisition, and for no other call."""
    calls: list[int] = []

    def callback() -> str:
        calls.append(1)
        return here.entra.federated_token()

    credential = here.make("ClientAssertionCredential", callback)
    for seconds in (0, 0, 3601):
        clock.advance(seconds)
        here.world.ask(credential.get_token, here.entra.resource_scope)
    assert len(calls) == 2


# --- tenants, claims, continuous access evaluation


def test_another_tenant_on_request(here: Surroundings) -> None:
    other = here.entra.add_tenant("fabrikam.onmicrosoft.com")
    app = here.entra.add_app("multi", multi_tenant=True, secrets=[planted("multi")])
    credential = here.world.make(
        "ClientSecretCredential",
        here.entra.tenant.id,
        app.client_id,
        planted("multi"),
        authority=here.entra.authority,
        additionally_allowed_tenants=["*"],
    )
    own = here.world.ask(credential.get_token, here.entra.resource_scope)
    foreign = here.world.ask(credential.get_token, here.entra.resource_scope, tenant_id=other.id)
    by_option = here.world.ask(
        credential.get_token_info, here.entra.resource_scope, options={"tenant_id": other.id.upper()}
    )

    assert own.token != foreign.token == by_option.token
    assert [request.path.split("/")[1] for request in here.entra.requests.to("token")] == [
        here.entra.tenant.id,
        other.id,
    ]


def test_cae_tokens_are_others(here: Surroundings) -> None:
    """They live a day and can be revoked, so callers that cannot handle that never get one."""
    credential = WAYS["secret"](here)
    plain = here.world.ask(credential.get_token, here.entra.resource_scope)
    cae = here.world.ask(credential.get_token, here.entra.resource_scope, enable_cae=True)
    again = here.world.ask(credential.get_token_info, here.entra.resource_scope, options={"enable_cae": True})
    first, second = here.entra.requests.to("token")

    assert plain.token != cae.token == again.token
    assert cae.expires_on - plain.expires_on > 80_000
    assert "claims" not in first.form
    assert '"CP1"' in second.form["claims"]
