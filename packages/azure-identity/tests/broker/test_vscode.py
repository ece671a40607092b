"""VisualStudioCodeCredential and the default chain's broker member: always silent, in both worlds."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from fake_msal import Account, Machine
from worlds import World

from azure.identity import ChainedTokenCredential, CredentialUnavailableError
from azure.identity._constants import VSCODE_CLIENT_ID
from azure.identity._credentials.default import LINKS
from entra_emulator import EntraEmulator

SCOPE = "https://vault.azure.net/.default"
VSCODE, BROKER, DEFAULT = "VisualStudioCodeCredential", "BrokerCredential", "DefaultAzureCredential"


@pytest.fixture
def signed_in(own_home: Path, entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Ada is signed in to Visual Studio Code, in the emulator's cloud; the record, as written."""
    ada = Account(tenant=entra.tenant.id)
    record = {
        "tenantId": entra.tenant.id,
        "clientId": VSCODE_CLIENT_ID,
        "authority": f"localhost:{entra.port}",
        "homeAccountId": ada.home_account_id,
        "username": ada.username,
        "datetime": "2024-06-03T01:30:00Z",
    }
    write(own_home, record)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", entra.authority)
    return record


def write(home: Path, record: Any, folder: str = ".azure") -> Path:
    place = home / folder / "ms-azuretools.vscode-azureresourcegroups" / "authRecord.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(record if isinstance(record, bytes) else json.dumps(record).encode())
    return place


def chain(world: World, *names: str, **options: Any) -> Any:
    """The default chain with these members only."""
    return world.make(DEFAULT, **{link.exclude: link.name not in names for link in LINKS}, **options)


def failure(world: World, credential: Any, *scopes: str, **asked: Any) -> Any:
    with pytest.raises(ClientAuthenticationError) as caught:
        world.ask(credential.get_token, *(scopes or (SCOPE,)), **asked)
    return caught.value


# --- Visual Studio Code


def test_its_account_is_asked_for_silently(
    world: World, machine: Machine, signed_in: dict[str, Any], entra: Any
) -> None:
    """The broker's default account, for the extension's application; nothing is shown. The token is kept."""
    credential = world.make(VSCODE)

    assert {world.ask(credential.get_token, SCOPE).token for _ in range(3)} == {"T1"}
    assert world.ask(credential.get_token_info, SCOPE).token == "T1"
    assert machine.prompts == ["none"]
    [application] = machine.applications
    assert application.client_id == VSCODE_CLIENT_ID
    assert application.authority == f"{entra.authority}/{entra.tenant.id}"
    assert machine.asked[0]["parent_window_handle"] is machine.module.PublicClientApplication.CONSOLE_WINDOW_HANDLE  # type: ignore[attr-defined]
    assert entra.requests.count("openid-configuration") == 1


@pytest.mark.parametrize("folder", [".azure", ".Azure"])
def test_the_record_is_found_in_both_places(
    world: World, machine: Machine, own_home: Path, entra: Any, folder: str
) -> None:
    record = {
        "tenantId": entra.tenant.id,
        "clientId": VSCODE_CLIENT_ID,
        "authority": f"localhost:{entra.port}",
        "homeAccountId": Account(tenant=entra.tenant.id).home_account_id,
        "username": "ada@contoso.com",
    }
    write(own_home, record, folder)

    assert world.ask(world.make(VSCODE).get_token, SCOPE).token == "T1"


def test_another_tenant_can_be_chosen(world: World, machine: Machine, signed_in: dict[str, Any], entra: Any) -> None:
    """By the constructor, or by a caller where that is allowed."""
    other = entra.add_tenant("other.example")

    world.ask(world.make(VSCODE, tenant_id=other.id).get_token, SCOPE)
    world.ask(world.make(VSCODE, additionally_allowed_tenants=["*"]).get_token, SCOPE, tenant_id=other.id)

    assert [application.authority for application in machine.applications] == [f"{entra.authority}/{other.id}"] * 2


def test_nobody_is_signed_in(world: World, machine: Machine) -> None:
    """The message says what it takes."""
    raised = failure(world, world.make(VSCODE))

    assert isinstance(raised, CredentialUnavailableError)
    for words in ("signed in to Azure in Visual Studio Code", "Azure Resources", "azure-identity-broker", "#vscode"):
        assert words in str(raised)
    assert machine.applications == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[]", "the file is not a JSON object"),
        (b"{}", "'tenantId' is missing"),
        (json.dumps({"clientId": "another"}).encode(), f"'clientId' must be {VSCODE_CLIENT_ID}"),
        (b" " * 10_241, "larger than 10240 bytes"),
    ],
    ids=["a list", "empty", "another application's", "huge"],
)
@pytest.mark.parametrize("credential", [VSCODE, DEFAULT])
def test_a_damaged_record_is_told_when_it_is_asked(
    world: World, machine: Machine, own_home: Path, content: bytes, words: str, credential: str
) -> None:
    """Not by constructors, and chains go on."""
    place = write(own_home, content)
    made = world.make(VSCODE) if credential == VSCODE else chain(world, VSCODE)

    raised = failure(world, made)

    assert isinstance(raised, CredentialUnavailableError)
    assert "Failed to load authentication record: " in str(raised)
    assert str(place) in str(raised)
    assert words in str(raised)


def test_a_folder_where_the_record_should_be(world: World, machine: Machine, own_home: Path) -> None:
    """(The published package's constructors fail then.)"""
    write(own_home, b"").unlink()
    place = own_home / ".azure" / "ms-azuretools.vscode-azureresourcegroups" / "authRecord.json"
    place.mkdir()

    assert "Failed to load authentication record" in str(failure(world, world.make(VSCODE)))


def test_a_record_that_cannot_be_read(world: World, machine: Machine, own_home: Path) -> None:
    """A link to itself: not even the superuser can read that."""
    write(own_home, b"").unlink()
    place = own_home / ".azure" / "ms-azuretools.vscode-azureresourcegroups" / "authRecord.json"
    place.symlink_to(place)

    assert "Failed to load authentication record" in str(failure(world, world.make(VSCODE)))


@pytest.mark.parametrize("given", [{"redirect_uri": "nonsense"}, {"authentication_record": 1}])
def test_options_the_broker_refuses(world: World, machine: Machine, signed_in: dict[str, Any], given: Any) -> None:
    """Are told when it is asked, too."""
    raised = failure(world, world.make(VSCODE, **given))

    assert isinstance(raised, CredentialUnavailableError)
    assert "Failed to load authentication record: " in str(raised)


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in the default chain"])
def test_a_broker_that_refuses(world: World, machine: Machine, signed_in: dict[str, Any], inside: bool) -> None:
    """A failure; within the default chain one that is passed over, with the same words."""
    machine.silent = {"error": "broker_error", "error_description": "no such account"}

    raised = failure(world, chain(world, VSCODE) if inside else world.make(VSCODE))

    assert isinstance(raised, CredentialUnavailableError) is inside
    assert "Authentication failed: no such account." in str(raised)
    assert (machine.prompts, machine.browsers) == (["none"], 0)


def test_an_authority_that_is_down_does_not_stop_the_default_chain(
    world: World, machine: Machine, signed_in: dict[str, Any], own_home: Path
) -> None:
    """Developer tools after it may still have tokens."""
    write(own_home, {**signed_in, "authority": "http://localhost:1"})

    assert isinstance(failure(world, chain(world, VSCODE)), CredentialUnavailableError)


def test_in_another_chain_its_failure_stops(world: World, machine: Machine, signed_in: dict[str, Any]) -> None:
    """As any other credential's."""
    machine.silent = {"error": "broker_error"}
    made = world.make("ChainedTokenCredential", world.make(VSCODE), world.make("EnvironmentCredential"))

    assert not isinstance(failure(world, made), CredentialUnavailableError)
    assert isinstance(made, ChainedTokenCredential) or world.name == "async"


def test_a_scope_is_needed(world: World, machine: Machine) -> None:
    with pytest.raises(ValueError, match="at least one scope"):
        world.ask(world.make(VSCODE).get_token)


def test_closing_and_copying(world: World, machine: Machine, signed_in: dict[str, Any]) -> None:
    credential = world.make(VSCODE, tenant_id="t")

    world.within(credential)
    assert pickle.loads(pickle.dumps(credential))._tenant == "t"


# --- the broker member of the default chain


def test_the_default_account_is_asked_for_silently(world: World, machine: Machine, entra: Any) -> None:
    """With the chain's authority, tenant and options; no client id means the developers' application."""
    made = chain(world, BROKER, authority=entra.authority, broker_tenant_id=entra.tenant.id)

    assert {world.ask(made.get_token, SCOPE).token for _ in range(2)} == {"T1"}
    assert machine.prompts == ["none"]
    assert machine.applications[0].authority == f"{entra.authority}/{entra.tenant.id}"
    assert machine.applications[0].client_id == "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


def test_tenant_and_client_of_the_broker(
    world: World, machine: Machine, entra: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keyword, or AZURE_TENANT_ID; any work or school account otherwise."""
    for keywords, tenant in (({}, "organizations"), ({"broker_client_id": "cid"}, "organizations")):
        world.ask(chain(world, BROKER, authority=entra.authority, **keywords).get_token, SCOPE)
        assert machine.applications[-1].authority.endswith(tenant)
        assert machine.applications[-1].client_id == keywords.get(
            "broker_client_id", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
        )
    monkeypatch.setenv("AZURE_TENANT_ID", entra.tenant.id)
    world.ask(chain(world, BROKER, authority=entra.authority).get_token, SCOPE)
    assert machine.applications[-1].authority.endswith(entra.tenant.id)
    world.ask(chain(world, BROKER, authority=entra.authority, broker_tenant_id=None).get_token, SCOPE)
    assert machine.applications[-1].authority.endswith("organizations")


@pytest.mark.parametrize(
    "change",
    [
        lambda machine: setattr(machine, "runtime", ImportError("not installed")),
        lambda machine: setattr(machine, "runtime", OSError("a library is missing")),
        lambda machine: setattr(machine, "runtime", RuntimeError("no broker")),
        lambda machine: setattr(machine, "uses_broker", False),
        lambda machine: setattr(machine, "silent", {"error": "broker_error"}),
        lambda machine: setattr(machine, "silent", RuntimeError("boom")),
        lambda machine: setattr(machine, "silent", ValueError("boom")),
    ],
    ids=["not installed", "a library is missing", "no broker", "not used", "refused", "failed", "a wrong redirect URI"],
)
def test_from_a_chain_nothing_is_ever_shown(world: World, machine: Machine, entra: Any, change: Any) -> None:
    """Whatever is wrong with the broker: no browser, no window, and the chain goes on."""
    change(machine)

    raised = failure(world, chain(world, BROKER, authority=entra.authority))

    assert isinstance(raised, CredentialUnavailableError)
    assert raised.attempts[0].name == BROKER
    assert raised.attempts[0].reason
    assert machine.browsers == 0
    assert set(machine.prompts) <= {"none"}


def test_a_malformed_tenant_is_the_members_problem(
    world: World, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the environment has it."""
    monkeypatch.setenv("AZURE_TENANT_ID", "a b")

    assert "InteractiveBrowserBrokerCredential unavailable: tenant_id is invalid" in str(
        failure(world, chain(world, BROKER))
    )


def test_without_the_package_the_message_names_it(
    world: World, monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "azure.identity.broker", None)

    raised = failure(world, chain(world, BROKER))

    assert isinstance(raised, CredentialUnavailableError)
    assert "the package azure-identity-broker is not installed" in str(raised)
