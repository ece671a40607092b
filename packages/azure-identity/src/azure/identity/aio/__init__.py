"""The async credentials. Close them, or use `async with`.

Exceptions, options and constants are in `azure.identity`. Names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._bearer_token_provider import async_get_bearer_token_provider as get_bearer_token_provider
    from .._credentials.authorization_code import AsyncAuthorizationCodeCredential as AuthorizationCodeCredential
    from .._credentials.azd_cli import AsyncAzureDeveloperCliCredential as AzureDeveloperCliCredential
    from .._credentials.azure_cli import AsyncAzureCliCredential as AzureCliCredential
    from .._credentials.azure_pipelines import AsyncAzurePipelinesCredential as AzurePipelinesCredential
    from .._credentials.azure_powershell import AsyncAzurePowerShellCredential as AzurePowerShellCredential
    from .._credentials.browser import AsyncInteractiveBrowserCredential as InteractiveBrowserCredential
    from .._credentials.certificate import AsyncCertificateCredential as CertificateCredential
    from .._credentials.chained import AsyncChainedTokenCredential as ChainedTokenCredential
    from .._credentials.client_assertion import AsyncClientAssertionCredential as ClientAssertionCredential
    from .._credentials.client_secret import AsyncClientSecretCredential as ClientSecretCredential
    from .._credentials.default import AsyncDefaultAzureCredential as DefaultAzureCredential
    from .._credentials.device_code import AsyncDeviceCodeCredential as DeviceCodeCredential
    from .._credentials.environment import AsyncEnvironmentCredential as EnvironmentCredential
    from .._credentials.github_actions import AsyncGitHubActionsCredential as GitHubActionsCredential
    from .._credentials.managed_identity import AsyncManagedIdentityCredential as ManagedIdentityCredential
    from .._credentials.on_behalf_of import AsyncOnBehalfOfCredential as OnBehalfOfCredential
    from .._credentials.shared_cache import AsyncSharedTokenCacheCredential as SharedTokenCacheCredential
    from .._credentials.user_password import AsyncUsernamePasswordCredential as UsernamePasswordCredential
    from .._credentials.vscode import AsyncVisualStudioCodeCredential as VisualStudioCodeCredential
    from .._credentials.workload_identity import AsyncWorkloadIdentityCredential as WorkloadIdentityCredential

_PLACES = {
    "AuthorizationCodeCredential": ("_credentials.authorization_code", "AsyncAuthorizationCodeCredential"),
    "AzureCliCredential": ("_credentials.azure_cli", "AsyncAzureCliCredential"),
    "AzureDeveloperCliCredential": ("_credentials.azd_cli", "AsyncAzureDeveloperCliCredential"),
    "AzurePipelinesCredential": ("_credentials.azure_pipelines", "AsyncAzurePipelinesCredential"),
    "AzurePowerShellCredential": ("_credentials.azure_powershell", "AsyncAzurePowerShellCredential"),
    "CertificateCredential": ("_credentials.certificate", "AsyncCertificateCredential"),
    "ChainedTokenCredential": ("_credentials.chained", "AsyncChainedTokenCredential"),
    "ClientAssertionCredential": ("_credentials.client_assertion", "AsyncClientAssertionCredential"),
    "ClientSecretCredential": ("_credentials.client_secret", "AsyncClientSecretCredential"),
    "DefaultAzureCredential": ("_credentials.default", "AsyncDefaultAzureCredential"),
    "DeviceCodeCredential": ("_credentials.device_code", "AsyncDeviceCodeCredential"),
    "EnvironmentCredential": ("_credentials.environment", "AsyncEnvironmentCredential"),
    "get_bearer_token_provider": ("_bearer_token_provider", "async_get_bearer_token_provider"),
    "GitHubActionsCredential": ("_credentials.github_actions", "AsyncGitHubActionsCredential"),
    "InteractiveBrowserCredential": ("_credentials.browser", "AsyncInteractiveBrowserCredential"),
    "ManagedIdentityCredential": ("_credentials.managed_identity", "AsyncManagedIdentityCredential"),
    "OnBehalfOfCredential": ("_credentials.on_behalf_of", "AsyncOnBehalfOfCredential"),
    "SharedTokenCacheCredential": ("_credentials.shared_cache", "AsyncSharedTokenCacheCredential"),
    "UsernamePasswordCredential": ("_credentials.user_password", "AsyncUsernamePasswordCredential"),
    "VisualStudioCodeCredential": ("_credentials.vscode", "AsyncVisualStudioCodeCredential"),
    "WorkloadIdentityCredential": ("_credentials.workload_identity", "AsyncWorkloadIdentityCredential"),
}

__all__ = [
    "AuthorizationCodeCredential",
    "AzureCliCredential",
    "AzureDeveloperCliCredential",
    "AzurePipelinesCredential",
    "AzurePowerShellCredential",
    "CertificateCredential",
    "ChainedTokenCredential",
    "ClientAssertionCredential",
    "ClientSecretCredential",
    "DefaultAzureCredential",
    "DeviceCodeCredential",
    "EnvironmentCredential",
    "get_bearer_token_provider",
    "GitHubActionsCredential",
    "InteractiveBrowserCredential",
    "ManagedIdentityCredential",
    "OnBehalfOfCredential",
    "SharedTokenCacheCredential",
    "UsernamePasswordCredential",
    "VisualStudioCodeCredential",
    "WorkloadIdentityCredential",
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
