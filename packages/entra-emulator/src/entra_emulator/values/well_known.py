"""What Microsoft's clouds publish about themselves: host aliases, and the APIs every tenant knows.

Hosts: "National clouds" and the answer of the public instance discovery endpoint. Application ids: "First-party
Microsoft applications" and "Azure services that support Microsoft Entra authentication" in Microsoft's documentation.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple


class Cloud(NamedTuple):
    """Hosts that are one authority: a token issued through one is valid for all."""

    network: str
    cache: str
    aliases: Tuple[str, ...]


CLOUDS = (
    Cloud(
        "login.microsoftonline.com",
        "login.windows.net",
        ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"),
    ),
    Cloud(
        "login.partner.microsoftonline.cn",
        "login.partner.microsoftonline.cn",
        ("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
    ),
    Cloud(
        "login.microsoftonline.us",
        "login.microsoftonline.us",
        ("login.microsoftonline.us", "login.usgovcloudapi.net"),
    ),
    Cloud("login.microsoftonline.de", "login.microsoftonline.de", ("login.microsoftonline.de",)),
    Cloud("login-us.microsoftonline.com", "login-us.microsoftonline.com", ("login-us.microsoftonline.com",)),
    Cloud("login.sovcloud-identity.fr", "login.sovcloud-identity.fr", ("login.sovcloud-identity.fr",)),
    Cloud("login.sovcloud-identity.de", "login.sovcloud-identity.de", ("login.sovcloud-identity.de",)),
    Cloud("login.sovcloud-identity.sg", "login.sovcloud-identity.sg", ("login.sovcloud-identity.sg",)),
)

LOGIN_HOSTS = frozenset(alias for cloud in CLOUDS for alias in cloud.aliases)

PSEUDO_TENANTS = frozenset({"common", "organizations", "consumers"})

GRAPH = "https://graph.microsoft.com"
ARM = "https://management.azure.com"
COGNITIVE_SERVICES = "https://cognitiveservices.azure.com"


class WellKnownApi(NamedTuple):
    """An API of Microsoft's that every tenant can ask tokens for."""

    name: str
    app_id: str
    identifiers: Tuple[str, ...]
    host_suffixes: Tuple[str, ...] = ()
    """Hosts of single accounts, which are audiences of their own (`https://ACCOUNT.blob.core.windows.net`)."""
    scopes: Tuple[str, ...] = ("user_impersonation",)
    """Delegated permissions that users may consent to."""
    admin_scopes: Tuple[str, ...] = ()
    """Delegated permissions that need an administrator."""


APIS = (
    WellKnownApi(
        "Windows Azure Service Management API",
        "797f4846-ba00-4fd7-ba43-dac1f8f63013",
        (
            ARM,
            "https://management.core.windows.net",
            "https://management.usgovcloudapi.net",
            "https://management.core.usgovcloudapi.net",
            "https://management.chinacloudapi.cn",
            "https://management.core.chinacloudapi.cn",
        ),
    ),
    WellKnownApi(
        "Microsoft Graph",
        "00000003-0000-0000-c000-000000000000",
        (
            GRAPH,
            "https://graph.microsoft.us",
            "https://dod-graph.microsoft.us",
            "https://microsoftgraph.chinacloudapi.cn",
        ),
        scopes=(
            *("User.Read", "User.ReadWrite", "User.ReadBasic.All", "Mail.Read", "Mail.Send", "Files.Read"),
            *("Files.ReadWrite", "Calendars.Read", "Calendars.ReadWrite", "Contacts.Read", "People.Read", "Tasks.Read"),
        ),
        admin_scopes=("User.Read.All", "Directory.Read.All", "Group.Read.All", "Application.Read.All"),
    ),
    WellKnownApi(
        "Windows Azure Active Directory",
        "00000002-0000-0000-c000-000000000000",
        ("https://graph.windows.net",),
        scopes=("User.Read", "UserProfile.Read", "user_impersonation"),
        admin_scopes=("Directory.Read.All",),
    ),
    WellKnownApi(
        "Azure Key Vault",
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
        (
            "https://vault.azure.net",
            "https://vault.usgovcloudapi.net",
            "https://vault.azure.cn",
            "https://managedhsm.azure.net",
        ),
    ),
    WellKnownApi(
        "Azure Storage",
        "e406a681-f3d4-42a8-90b6-c2b029497af1",
        ("https://storage.azure.com",),
        (
            ".blob.core.windows.net",
            ".queue.core.windows.net",
            ".table.core.windows.net",
            ".file.core.windows.net",
            ".dfs.core.windows.net",
        ),
    ),
    WellKnownApi("Azure SQL Database", "022907d3-0f1b-48f7-badc-1ba6abab6d66", ("https://database.windows.net",)),
    WellKnownApi(
        "Azure OSSRDBMS Database",
        "123cd850-d9df-40bd-94d5-c9f07b7fa203",
        (
            "https://ossrdbms-aad.database.windows.net",
            "https://ossrdbms-aad.database.usgovcloudapi.net",
            "https://ossrdbms-aad.database.chinacloudapi.cn",
        ),
    ),
    WellKnownApi(
        "Microsoft Cognitive Services",
        "7d312290-28c8-473c-a0ed-8e53749b6d6d",
        (COGNITIVE_SERVICES, "https://cognitiveservices.azure.us"),
    ),
    WellKnownApi("Azure AI", "18a66f5f-dbdf-4c17-9dd7-1634712a9cbe", ("https://ai.azure.com",)),
    WellKnownApi("Azure Cache for Redis", "acca5fbb-b7e4-4009-81f1-37e38fd66d78", ("https://redis.azure.com",)),
    WellKnownApi("Azure Service Bus", "80a10ef9-8168-493d-abf9-3297c4ef6e3c", ("https://servicebus.azure.net",)),
    WellKnownApi("Azure Event Hubs", "80369ed6-5f11-4dd9-bef3-692475845e77", ("https://eventhubs.azure.net",)),
    WellKnownApi(
        "Log Analytics API",
        "ca7f3f0b-7d91-482c-8e09-c5d840d0eac5",
        ("https://api.loganalytics.io", "https://api.loganalytics.azure.com"),
    ),
    WellKnownApi("Azure Cosmos DB", "a232010e-820c-4083-83bb-3ace5fc29d0b", ("https://cosmos.azure.com",)),
    WellKnownApi("Azure AI Search", "880da380-985e-4198-81b9-e05b1cc53158", ("https://search.azure.com",)),
    WellKnownApi("Azure App Configuration", "35ffadb3-7fc1-497e-b61b-381d28e744cc", ("https://azconfig.io",)),
    WellKnownApi("Azure DevOps", "499b84ac-1321-427f-aa17-267ca6975798", ("https://app.vssps.visualstudio.com",)),
    # The emulator knows no application id for these; a stable one is derived from the identifier.
    WellKnownApi("Azure Monitor", "", ("https://monitor.azure.com",)),
    WellKnownApi("Azure Batch", "", ("https://batch.core.windows.net",)),
    WellKnownApi("Azure Machine Learning", "", ("https://ml.azure.com",)),
    WellKnownApi("Azure Digital Twins", "", ("https://digitaltwins.azure.net",)),
    WellKnownApi("Azure Container Registry", "", ("https://containerregistry.azure.net",)),
)
