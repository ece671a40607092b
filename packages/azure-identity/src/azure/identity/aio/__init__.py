"""The async credentials. Close them, or use `async with`.

Exceptions, options and constants are in `azure.identity`. Names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._bearer_token_provider import async_get_bearer_token_provider as get_bearer_token_provider
    from .._credentials.azd_cli import AsyncAzureDeveloperCliCredential as AzureDeveloperCliCredential
    from .._credentials.azure_cli import AsyncAzureCliCredential as AzureCliCredential
    from .._credentials.azure_pipelines import AsyncAzurePipelinesCredential as AzurePipelinesCredential
    from .._credentials.azure_powershell import AsyncAzurePowerShellCredential as AzurePowerShellCredential
    from .._credentials.certificate import AsyncCertificateCredential as CertificateCredential
    from .._credentials.chained import AsyncChainedTokenCredential as ChainedTokenCredential
    from .._credentials.client_assertion import AsyncClientAssertionCredential as ClientAssertionCredential
    from .._credentials.client_secret import AsyncClientSecretCredential as ClientSecretCredential
    from .._credentials.default import AsyncDefaultAzureCredential as DefaultAzureCredential
    from .._credentials.environment import AsyncEnvironmentCredential as EnvironmentCredential
    from .._credentials.github_actions import AsyncGitHubActionsCredential as GitHubActionsCredential

_PLACES = {
    "AzureCliCredential": ("_credentials.azure_cli", "AsyncAzureCliCredential"),
    "AzureDeveloperCliCredential": ("_credentials.azd_cli", "AsyncAzureDeveloperCliCredential"),
    "AzurePipelinesCredential": ("_credentials.azure_pipelines", "AsyncAzurePipelinesCredential"),
    "AzurePowerShellCredential": ("_credentials.azure_powershell", "AsyncAzurePowerShellCredential"),
    "CertificateCredential": ("_credentials.certificate", "AsyncCertificateCredential"),
    "ChainedTokenCredential": ("_credentials.chained", "AsyncChainedTokenCredential"),
    "ClientAssertionCredential": ("_credentials.client_assertion", "AsyncClientAssertionCredential"),
    "ClientSecretCredential": ("_credentials.client_secret", "AsyncClientSecretCredential"),
    "DefaultAzureCredential": ("_credentials.default", "AsyncDefaultAzureCredential"),
    "EnvironmentCredential": ("_credentials.environment", "AsyncEnvironmentCredential"),
    "GitHubActionsCredential": ("_credentials.github_actions", "AsyncGitHubActionsCredential"),
    "get_bearer_token_provider": ("_bearer_token_provider", "async_get_bearer_token_provider"),
}

__all__ = [
    "AzureCliCredential",
    "AzureDeveloperCliCredential",
    "AzurePipelinesCredential",
    "AzurePowerShellCredential",
    "CertificateCredential",
    "ChainedTokenCredential",
    "ClientAssertionCredential",
    "ClientSecretCredential",
    "DefaultAzureCredential",
    "EnvironmentCredential",
    "GitHubActionsCredential",
    "get_bearer_token_provider",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"azure.identity.{place[0]}"), place[1])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
