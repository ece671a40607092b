"""ManagedIdentityCredential on hosts that behave like Azure's: every one of them, over real connections."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, Iterator

import pytest
from azure.core.exceptions import ClientAuthenticationError
from worlds import World

import azure.identity
import azure.identity.aio
from azure.identity import CredentialUnavailableError
from azure.identity._credentials import managed_identity
from azure.identity._errors.logging import unverified_claims
from azure.identity._protocols import arc, imds
from entra_emulator import EntraEmulator

HOSTS = ("imds", "app-service", "app-service-2017", "arc", "service-fabric", "cloud-shell", "azure-ml")
CHOOSING = {
    "imds": ("client_id", "object_id", "resource_id"),
    "app-service": ("client_id", "object_id", "resource_id"),
    "app-service-2017": ("client_id",),
    "arc": ("client_id", "object_id", "resource_id"),
    "service-fabric": ("object_id",),
    "azure-ml": ("client_id",),
}
OPTIONS: dict[str, dict[str, Any]] = {"arc": {"key_ending": "\n"}}


class Hosts:
    """Opens a host where the library finds it."""

    def __init__(self, entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
        self._entra, self._monkeypatch = entra, monkeypatch
        self._open: list[Any] = []

    def open(self, kind: str, **options: Any) -> Any:
        """Begin to be on this host."""
        context = self._entra.host(kind, **{**OPTIONS.get(kind, {}), **options})
        host = context.__enter__()
        self._open.append(context)
        if kind == "imds":
            self._monkeypatch.setattr(imds, "ADDRESS", host.url)
        if kind == "arc":
            self._monkeypatch.setattr("sys.platform", "linux")
            self._monkeypatch.setattr(arc, "LINUX_KEYS", host.key_directory)
        return host

    def close(self) -> None:
        while self._open:
            self._open.pop().__exit__(None, None, None)


@pytest.fixture
def hosts(entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    opened = Hosts(entra, monkeypatch)
    yield opened
    opened.close()


def scope_on(kind: str, entra: EntraEmulator) -> str:
    """A scope the host has tokens for: Cloud Shell knows some of Microsoft's own only."""
    return "https://management.azure.com/.default" if kind == "cloud-shell" else entra.resource_scope


def oid(token: Any) -> str:
    return str(unverified_claims(token.token)["oid"])


@pytest.mark.parametrize("kind", HOSTS)
def test_a_token_on_every_host(world: World, entra: EntraEmulator, hosts: Hosts, kind: str) -> None:
    """One question (two for Azure Arc), a token of the host's own identity, and no question the second time."""
    host = hosts.open(kind)
    credential = world.make("ManagedIdentityCredential")

    token = world.ask(credential.get_token_info, scope_on(kind, entra))
    again = world.ask(credential.get_token_info, scope_on(kind, entra))

    if kind != "cloud-shell":  # there it is the person's
        assert oid(token) == entra.managed_identity.object_id
    assert token.expires_on > time.time() + 3000
    assert token.token == again.token
    assert len(host.requests) == (2 if kind == "arc" else 1)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in CHOOSING.items() for name in names])
def test_a_user_assigned_identity(world: World, entra: EntraEmulator, hosts: Hosts, kind: str, name: str) -> None:
    """By every kind of id the host knows."""
    mine, other = entra.add_managed_identity("mine"), entra.add_managed_identity("other")
    hosts.open(kind, identities=[mine, other])

    token = world.ask(
        world.make("ManagedIdentityCredential", **{name: getattr(mine, name)}).get_token, entra.resource_scope
    )

    assert oid(token) == mine.object_id


@pytest.mark.parametrize("kind", [kind for kind in HOSTS if kind != "cloud-shell"])
def test_the_default_chain_finds_the_host(world: World, entra: EntraEmulator, hosts: Hosts, kind: str) -> None:
    """Without a word about it."""
    hosts.open(kind)
    credential = world.make("DefaultAzureCredential")

    assert oid(world.ask(credential.get_token, entra.resource_scope)) == entra.managed_identity.object_id
    assert type(credential.selected_credential).__name__ == "ManagedIdentityCredential"


@pytest.mark.parametrize("kind", ["imds", "app-service", "arc"])
def test_an_object_id_in_the_default_chain(world: World, entra: EntraEmulator, hosts: Hosts, kind: str) -> None:
    """`managed_identity_client_id` takes it; the host says that it is no client id."""
    mine = entra.add_managed_identity("mine")
    hosts.open(kind, identities=[mine])
    credential = world.make("DefaultAzureCredential", managed_identity_client_id=mine.object_id)

    assert oid(world.ask(credential.get_token, entra.resource_scope)) == mine.object_id


@pytest.mark.parametrize("kind", ["imds", "app-service", "app-service-2017", "arc", "cloud-shell", "azure-ml"])
def test_no_proxy_is_asked(
    world: World, entra: EntraEmulator, hosts: Hosts, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts are on this machine; the proxy of the environment could not reach them, and must not see their secrets."""
    hosts.open(kind)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert world.ask(world.make("ManagedIdentityCredential").get_token, scope_on(kind, entra)).token


# --- sharing


def test_a_thousand_credentials_make_one_request(entra: EntraEmulator, hosts: Hosts) -> None:
    """From many threads at once."""
    host = hosts.open("imds")
    entra.faults.add("imds", latency=0.2)
    credentials = [azure.identity.ManagedIdentityCredential() for _ in range(1000)]
    got: set[str] = set()

    def work(some: list[Any]) -> None:
        got.update(credential.get_token(entra.resource_scope).token for credential in some)

    threads = [threading.Thread(target=work, args=(credentials[n::40],)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for credential in credentials:
        credential.close()

    assert (len(got), len(host.requests)) == (1, 1)


def test_a_thousand_async_credentials_make_one_request(entra: EntraEmulator, hosts: Hosts) -> None:
    """From many tasks at once; a sync credential then needs none."""
    host = hosts.open("app-service")
    entra.faults.add("app-service", latency=0.2)

    async def all_at_once() -> set[str]:
        credentials = [azure.identity.aio.ManagedIdentityCredential() for _ in range(1000)]
        tokens = await asyncio.gather(*(credential.get_token(entra.resource_scope) for credential in credentials))
        for credential in credentials:
            await credential.close()
        return {token.token for token in tokens}

    got = asyncio.run(all_at_once())
    got.add(azure.identity.ManagedIdentityCredential().get_token(entra.resource_scope).token)

    assert (len(got), len(host.requests)) == (1, 1)


def test_a_sync_credential_in_a_coroutine(entra: EntraEmulator, hosts: Hosts) -> None:
    """It does not wait for the task of the loop it blocks: that would be for ever."""
    host = hosts.open("imds")
    entra.faults.add("imds", latency=0.2)

    async def mixed() -> set[str]:
        async with azure.identity.aio.ManagedIdentityCredential() as credential:
            task = asyncio.ensure_future(credential.get_token(entra.resource_scope))
            while not host.requests:
                await asyncio.sleep(0.01)
            with azure.identity.ManagedIdentityCredential() as blocking:
                token = blocking.get_token(entra.resource_scope)
            return {token.token, (await task).token}

    assert asyncio.run(asyncio.wait_for(mixed(), 20))
    assert len(host.requests) == 2


def test_a_claims_challenge_on_service_fabric(world: World, entra: EntraEmulator, hosts: Hosts) -> None:
    """The host learns which token will not do, and has a new one issued."""
    host = hosts.open("service-fabric")
    credential = world.make("ManagedIdentityCredential")
    first = world.ask(credential.get_token, entra.resource_scope)

    second = world.ask(credential.get_token, entra.resource_scope, claims='{"access_token":{}}')

    assert first.token != second.token
    assert len(host.refresh_hashes) == 1
    assert world.ask(credential.get_token, entra.resource_scope).token == second.token


def test_expiry_and_renewal(world: World, entra: EntraEmulator, hosts: Hosts, clock: Any) -> None:
    """A token is asked for again at half its life; while the host has trouble the old one is used, without a wait."""
    host = hosts.open("imds", token_lifetime=86400)
    credential = world.make("ManagedIdentityCredential")
    first = world.ask(credential.get_token, entra.resource_scope)
    clock.advance(44_000)
    entra.faults.add("imds", status=500)
    started = time.monotonic()

    assert world.ask(credential.get_token, entra.resource_scope).token == first.token
    assert time.monotonic() - started < 1
    assert len(host.requests) == 3  # one attempt and one repetition

    entra.faults.clear()
    host.forget_tokens()
    clock.advance(31)
    assert world.ask(credential.get_token, entra.resource_scope).token != first.token


# --- IMDS


@pytest.mark.parametrize("trouble", [404, 410, 429, 500, 503])
def test_imds_in_trouble(world: World, entra: EntraEmulator, hosts: Hosts, trouble: int) -> None:
    """It is asked again."""
    host = hosts.open("imds")
    entra.faults.add("imds", times=3, status=trouble)
    credential = world.make("ManagedIdentityCredential", retry_backoff_factor=0.01)

    assert world.ask(credential.get_token, entra.resource_scope).token
    assert len(host.requests) == 4


@pytest.fixture
def quick_probe(monkeypatch: pytest.MonkeyPatch) -> float:
    """A probe that is given up sooner than in life."""
    monkeypatch.setattr(imds, "PROBE_TIMEOUT", 0.2)
    return 0.2


@pytest.mark.parametrize("way", ["black_hole", "refuse", "captive_portal", "docker_desktop", "docker_desktop as text"])
def test_a_chain_off_azure(
    world: World, entra: EntraEmulator, hosts: Hosts, way: str, quick_probe: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers at that address, or nobody: the chain goes on soon, and the second time at once."""
    host = hosts.open("imds")
    for name, value in entra.environment("secret").items():
        monkeypatch.setenv(name, value)
    if way.startswith("docker"):
        host.docker_desktop(as_text=way.endswith("text"))
    else:
        getattr(host, way)()
    chain = world.make(
        "ChainedTokenCredential", world.make("ManagedIdentityCredential"), world.make("EnvironmentCredential")
    )
    started = time.monotonic()
    token = world.ask(chain.get_token, entra.resource_scope)
    first = time.monotonic() - started
    requests = len(host.requests)
    world.ask(chain.get_token, entra.resource_scope)

    assert oid(token) == entra.app.object_id
    assert first < quick_probe + 1.5
    assert len(host.requests) == requests
    host.recover()


def test_the_same_words_in_both_worlds(entra: EntraEmulator, hosts: Hosts) -> None:
    """Whatever IMDS does, sync and async say the same."""
    host = hosts.open("imds", system_assigned=False)

    def both() -> list[str]:
        texts = []
        with azure.identity.ManagedIdentityCredential(retry_total=0) as credential:
            with pytest.raises(ClientAuthenticationError) as caught:
                credential.get_token(entra.resource_scope)
            texts.append(f"{type(caught.value).__name__} {caught.value.message}")

        async def ask() -> None:
            async with azure.identity.aio.ManagedIdentityCredential(retry_total=0) as credential:
                await credential.get_token(entra.resource_scope)

        with pytest.raises(ClientAuthenticationError) as caught:
            asyncio.run(ask())
        texts.append(f"{type(caught.value).__name__} {caught.value.message}")
        return texts

    sync, suspended = both()
    assert sync == suspended
    assert "Identity not found" in sync
    for way in ("refuse", "captive_portal"):
        getattr(host, way)()
        sync, suspended = both()
        assert sync == suspended
        assert sync.startswith("CredentialUnavailableError ManagedIdentityCredential authentication unavailable")
    host.recover()
    for fault in ({"status": 500}, {"reset": True}, {"torn": True}, {"drop": "access_token"}):
        entra.faults.add("imds", **fault)
        sync, suspended = both()
        assert sync == suspended
        entra.faults.clear()


def test_pod_identity(world: World, entra: EntraEmulator, hosts: Hosts) -> None:
    """The variable leads to another host."""
    host = hosts.open("imds", via="pod-identity")
    imds.ADDRESS = "http://127.0.0.1:9"

    assert world.ask(world.make("ManagedIdentityCredential").get_token, entra.resource_scope).token
    assert len(host.requests) == 1


# --- App Service, Azure Machine Learning


@pytest.mark.parametrize("flavour", ["linux", "windows"])
@pytest.mark.parametrize("kind", ["app-service", "app-service-2017"])
def test_app_service_of_both_flavours(
    world: World, entra: EntraEmulator, hosts: Hosts, kind: str, flavour: str
) -> None:
    """Times are read in each one's words; Automation insists on a header."""
    hosts.open(kind, flavour=flavour, require_metadata=True)

    token = world.ask(world.make("ManagedIdentityCredential").get_token, entra.resource_scope)

    assert token.expires_on == unverified_claims(token.token)["exp"]


@pytest.mark.parametrize("form", ["epoch", "text", "linux", "windows", "iso"])
def test_azure_machine_learning(world: World, entra: EntraEmulator, hosts: Hosts, form: str) -> None:
    """Whatever form its times have; and its default identity is asked for by name, or a person's token would come."""
    mine = entra.add_managed_identity("mine")
    hosts.open("azure-ml", identities=[mine], default_identity=mine, expires_on=form)

    token = world.ask(world.make("ManagedIdentityCredential").get_token, entra.resource_scope)

    assert oid(token) == mine.object_id
    assert token.expires_on == unverified_claims(token.token)["exp"]


def test_an_identity_app_service_does_not_have(world: World, entra: EntraEmulator, hosts: Hosts) -> None:
    """It says so, and the chain ends there."""
    hosts.open("app-service")
    stranger = entra.add_managed_identity("stranger")

    with pytest.raises(ClientAuthenticationError, match="No User Assigned or Delegated Managed Identity") as caught:
        world.ask(world.make("ManagedIdentityCredential", client_id=stranger.client_id).get_token, entra.resource_scope)
    assert not isinstance(caught.value, CredentialUnavailableError)


def test_cloud_shell_has_tokens_for_some(world: World, entra: EntraEmulator, hosts: Hosts) -> None:
    """Its own words for the others."""
    hosts.open("cloud-shell")

    with pytest.raises(ClientAuthenticationError, match="AudienceNotSupported"):
        world.ask(world.make("ManagedIdentityCredential").get_token, "api://unheard-of/.default")


# --- Azure Arc, Service Fabric


def test_an_old_arc_agent(world: World, entra: EntraEmulator, hosts: Hosts) -> None:
    """It does not understand the id, and is not believed."""
    mine = entra.add_managed_identity("mine")
    hosts.open("arc", identities=[mine], user_assigned=False)

    with pytest.raises(ClientAuthenticationError, match="did not confirm"):
        world.ask(world.make("ManagedIdentityCredential", client_id=mine.client_id).get_token, entra.resource_scope)


def test_an_arc_key_somewhere_else(
    world: World, entra: EntraEmulator, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the agent's own directory is read from."""
    host = hosts.open("arc")
    monkeypatch.setattr(arc, "LINUX_KEYS", "/var/opt/azcmagent/tokens")

    with pytest.raises(ClientAuthenticationError, match="Unexpected file path"):
        world.ask(world.make("ManagedIdentityCredential").get_token, entra.resource_scope)
    assert len(host.requests) == 1


@pytest.mark.parametrize("thumbprint", ["sha1", "sha256", "separated"])
def test_service_fabric_by_its_thumbprint(
    world: World, entra: EntraEmulator, hosts: Hosts, thumbprint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SHA-1 or SHA-256, in any spelling; nobody vouches for the certificate but that."""
    host = hosts.open("service-fabric")
    sha1 = str(host.thumbprint)
    spelt = {
        "sha1": sha1.lower(),
        "sha256": host.thumbprint_sha256,
        "separated": ":".join(sha1[n : n + 2] for n in range(0, 40, 2)),
    }
    monkeypatch.setenv("IDENTITY_SERVER_THUMBPRINT", spelt[thumbprint])

    assert world.ask(world.make("ManagedIdentityCredential").get_token, entra.resource_scope).token


def test_service_fabric_with_another_certificate(world: World, entra: EntraEmulator, hosts: Hosts) -> None:
    """The secret does not leave the program."""
    host = hosts.open("service-fabric")
    host.rotate_certificate()

    with pytest.raises(ClientAuthenticationError, match="is not trusted") as caught:
        world.ask(world.make("ManagedIdentityCredential").get_token, entra.resource_scope)

    assert not isinstance(caught.value, CredentialUnavailableError)
    assert len(host.requests) == 0


# --- workload identity


def test_workload_identity(world: World, entra: EntraEmulator, hosts: Hosts) -> None:
    """Where it is set up, it does the work."""
    mine = entra.add_managed_identity("mine")
    hosts.open("workload-identity", identities=[mine])

    assert oid(world.ask(world.make("ManagedIdentityCredential").get_token, entra.resource_scope)) == mine.object_id


def test_nothing_is_left_behind(entra: EntraEmulator, hosts: Hosts) -> None:
    """No flight is under way when all have landed."""
    hosts.open("imds")
    with azure.identity.ManagedIdentityCredential() as credential:
        credential.get_token(entra.resource_scope)

    assert all(len(table) == 0 for table in managed_identity._flights.values())
