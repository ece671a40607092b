"""Microsoft Entra ID access tokens for Azure SDK clients and any other HTTP client.

Start with `DefaultAzureCredential`: it finds out how to authenticate wherever the program runs. The async credentials
are in `azure.identity.aio`. Names are loaded when they are first used, so importing this package is cheap.
"""

from __future__ import annotations

import os as _os
from typing import TYPE_CHECKING, Any

from ._version import VERSION

if TYPE_CHECKING:
    from ._bearer_token_provider import get_bearer_token_provider
    from ._constants import AzureAuthorityHosts, KnownAuthorities
    from ._credentials.azd_cli import AzureDeveloperCliCredential
    from ._credentials.azure_cli import AzureCliCredential
    from ._credentials.azure_pipelines import AzurePipelinesCredential
    from ._credentials.azure_powershell import AzurePowerShellCredential
    from ._credentials.certificate import CertificateCredential
    from ._credentials.chained import ChainedTokenCredential
    from ._credentials.client_assertion import ClientAssertionCredential
    from ._credentials.client_secret import ClientSecretCredential
    from ._credentials.default import DefaultAzureCredential
    from ._credentials.environment import EnvironmentCredential
    from ._credentials.github_actions import GitHubActionsCredential
    from ._errors import AuthenticationRequiredError, CredentialUnavailableError
    from ._persistence import TokenCachePersistenceOptions

__version__ = VERSION

_PLACES = {
    "AuthenticationRequiredError": "_errors",
    "AzureAuthorityHosts": "_constants",
    "AzureCliCredential": "_credentials.azure_cli",
    "AzureDeveloperCliCredential": "_credentials.azd_cli",
    "AzurePipelinesCredential": "_credentials.azure_pipelines",
    "AzurePowerShellCredential": "_credentials.azure_powershell",
    "CertificateCredential": "_credentials.certificate",
    "ChainedTokenCredential": "_credentials.chained",
    "ClientAssertionCredential": "_credentials.client_assertion",
    "ClientSecretCredential": "_credentials.client_secret",
    "CredentialUnavailableError": "_errors",
    "DefaultAzureCredential": "_credentials.default",
    "EnvironmentCredential": "_credentials.environment",
    "GitHubActionsCredential": "_credentials.github_actions",
    "KnownAuthorities": "_constants",
    "TokenCachePersistenceOptions": "_persistence",
    "get_bearer_token_provider": "_bearer_token_provider",
}

__all__ = [
    "AuthenticationRequiredError",
    "AzureAuthorityHosts",
    "AzureCliCredential",
    "AzureDeveloperCliCredential",
    "AzurePipelinesCredential",
    "AzurePowerShellCredential",
    "CertificateCredential",
    "ChainedTokenCredential",
    "ClientAssertionCredential",
    "ClientSecretCredential",
    "CredentialUnavailableError",
    "DefaultAzureCredential",
    "EnvironmentCredential",
    "GitHubActionsCredential",
    "KnownAuthorities",
    "TokenCachePersistenceOptions",
    "get_bearer_token_provider",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{place}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if _os.environ.get("AZURE_LOG_LEVEL", "").strip():
    from ._logging import configure_from_environment as _configure

    _configure()
