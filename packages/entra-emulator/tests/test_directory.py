from __future__ import annotations

import pytest

from entra_emulator.directory.directory import (
    App,
    Certificate,
    Directory,
    Resource,
    Secret,
    Tenant,
    default_resources,
    derived_id,
)

CONTOSO = Tenant("11111111-1111-1111-1111-11111111111A", ("Contoso.example", "contoso.onmicrosoft.com"))


@pytest.fixture
def directory() -> Directory:
    directory = Directory()
    directory.clear()
    directory.add_tenant(CONTOSO)
    return directory


@pytest.mark.parametrize(
    "name", [CONTOSO.id, CONTOSO.id.lower(), "contoso.example", "CONTOSO.EXAMPLE", "contoso.onmicrosoft.com"]
)
def test_tenant_by_any_name(directory: Directory, name: str):
    """Id and domains name a tenant, in any case."""
    assert directory.tenant(name) is CONTOSO


def test_tenants_are_listed_once(directory: Directory):
    """A tenant with three names is one tenant."""
    assert directory.tenants() == [CONTOSO]
    assert CONTOSO.domain == "Contoso.example"


@pytest.mark.parametrize("name", ["contoso.example", "common"])
def test_names_are_unique(directory: Directory, name: str):
    """A taken or reserved name is refused, and nothing is added."""
    with pytest.raises(ValueError, match="is taken"):
        directory.add_tenant(Tenant(derived_id("new"), (name,)))

    assert directory.tenant(derived_id("new")) is None


def test_app_belongs_to_its_home(directory: Directory):
    """Another tenant does not know an app, unless it is multi-tenant."""
    other = directory.add_tenant(Tenant(derived_id("other"), ("other.example",)))
    app = directory.put_app(App("ABC", CONTOSO.id))

    assert directory.app_in(CONTOSO, "abc") is app
    assert directory.app_in(other, "abc") is None

    everywhere = directory.put_app(App("ABC", CONTOSO.id, multi_tenant=True))

    assert directory.app_in(other, "abc") is everywhere
    assert everywhere.object_id(other) != everywhere.object_id(CONTOSO)


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("https://management.azure.com", "Windows Azure Service Management API"),
        ("https://management.azure.com/", "Windows Azure Service Management API"),
        ("https://management.core.windows.net/", "Windows Azure Service Management API"),
        ("https://vault.azure.net", "Azure Key Vault"),
        ("HTTPS://VAULT.AZURE.NET", "Azure Key Vault"),
        ("https://storage.azure.com", "Azure Storage"),
        ("e406a681-f3d4-42a8-90b6-c2b029497af1", "Azure Storage"),
        ("https://account.blob.core.windows.net", "Azure Storage"),
        ("https://graph.microsoft.com", "Microsoft Graph"),
        ("https://cognitiveservices.azure.com", "Microsoft Cognitive Services"),
        ("https://ossrdbms-aad.database.windows.net", "Azure OSSRDBMS Database"),
        ("https://redis.azure.com", "Azure Cache for Redis"),
    ],
)
def test_well_known_resources(directory: Directory, identifier: str, name: str):
    """The APIs of Azure are known by identifier, app id, and host of a single account."""
    found = directory.resource(identifier)

    assert found is not None
    assert found.display_name == name


@pytest.mark.parametrize(
    "identifier",
    ["https://unknown.example", "https://vault.azure.net//", "http://account.blob.core.windows.net", "", "blob"],
)
def test_unknown_resources(directory: Directory, identifier: str):
    """Anything else is unknown."""
    assert directory.resource(identifier) is None


def test_identifiers_are_unique(directory: Directory):
    """Nobody takes over the identifier of another API."""
    with pytest.raises(ValueError, match="is taken"):
        directory.add_resource(Resource(derived_id("mine"), ("https://vault.azure.net/",)))


def test_default_resources_do_not_overlap():
    """The table of known APIs is consistent."""
    identifiers = [name for api in default_resources() for name in (api.app_id, *api.identifiers)]

    assert len(identifiers) == len(set(identifiers))


def test_derived_ids_are_stable():
    """Made-up ids are the same in every run and in any case."""
    assert derived_id("a", "B") == derived_id("A", "b") == "6ab2e2a6-f24c-5966-84e8-ec12baf9a891"


def test_nothing_secret_in_a_repr():
    """Secrets and certificates do not show."""
    shown = repr(App("id", "tenant", secrets=(Secret("hush"),), certificates=(Certificate.from_der(b"hush"),)))

    assert "hush" not in shown
