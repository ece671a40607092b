"""Microsoft Entra ID access tokens for Azure SDK clients and any other HTTP client.

Start with `DefaultAzureCredential`: it finds out how to authenticate wherever the program runs. The async credentials
are in `azure.identity.aio`. Names are loaded when they are first used, so importing this package is cheap.
"""

from __future__ import annotations

import os as _os
import sys as _sys
from typing import TYPE_CHECKING, Any

from ._version import VERSION

if TYPE_CHECKING:
    from ._bearer_token_provider import get_bearer_token_provider
    from ._constants import AzureAuthorityHosts, KnownAuthorities
    from ._credentials.authorization_code import AuthorizationCodeCredential
    from ._credentials.azd_cli import AzureDeveloperCliCredential
    from ._credentials.azure_cli import AzureCliCredential
    from ._credentials.azure_pipelines import AzurePipelinesCredential
    from ._credentials.azure_powershell import AzurePowerShellCredential
    from ._credentials.browser import InteractiveBrowserCredential
    from ._credentials.certificate import CertificateCredential
    from ._credentials.chained import ChainedTokenCredential
    from ._credentials.client_assertion import ClientAssertionCredential
    from ._credentials.client_secret import ClientSecretCredential
    from ._credentials.default import DefaultAzureCredential
    from ._credentials.device_code import DeviceCodeCredential
    from ._credentials.environment import EnvironmentCredential
    from ._credentials.github_actions import GitHubActionsCredential
    from ._credentials.managed_identity import ManagedIdentityCredential
    from ._credentials.on_behalf_of import OnBehalfOfCredential
    from ._credentials.shared_cache import SharedTokenCacheCredential
    from ._credentials.user_password import UsernamePasswordCredential
    from ._credentials.vscode import VisualStudioCodeCredential
    from ._credentials.workload_identity import WorkloadIdentityCredential
    from ._errors.errors import AuthenticationRequiredError, CredentialUnavailableError
    from ._persistence import TokenCachePersistenceOptions
    from ._values.record import AuthenticationRecord

__version__ = VERSION

# azure.identity.broker comes from another distribution, which may be installed in another folder of the namespace
# `azure`. A folder with an `azure.identity` of its own is a rival, and stays out.
for _folder in _sys.modules["azure"].__path__:
    _place = _os.path.join(_folder, "identity")  # noqa: PTH118
    if (
        _place not in __path__
        and _os.path.isdir(_os.path.join(_place, "broker"))  # noqa: PTH112, PTH118
        and not _os.path.exists(_os.path.join(_place, "__init__.py"))  # noqa: PTH110, PTH118
    ):
        __path__.append(_place)


class _FormerPlaces:
    """Finds modules where they used to be. Asked last, and only for what is found nowhere else."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if not name.startswith("azure.identity._"):
            return None
        from ._old_doors import spec_of

        return spec_of(name)


if not any(getattr(finder, "__name__", "") == "_FormerPlaces" for finder in _sys.meta_path):
    _sys.meta_path.append(_FormerPlaces)

_PLACES = {
    "AuthenticationRecord": "_values.record",
    "AuthenticationRequiredError": "_errors.errors",
    "AuthorizationCodeCredential": "_credentials.authorization_code",
    "AzureAuthorityHosts": "_constants",
    "AzureCliCredential": "_credentials.azure_cli",
    "AzureDeveloperCliCredential": "_credentials.azd_cli",
    "AzurePipelinesCredential": "_credentials.azure_pipelines",
    "AzurePowerShellCredential": "_credentials.azure_powershell",
    "CertificateCredential": "_credentials.certificate",
    "ChainedTokenCredential": "_credentials.chained",
    "ClientAssertionCredential": "_credentials.client_assertion",
    "ClientSecretCredential": "_credentials.client_secret",
    "CredentialUnavailableError": "_errors.errors",
    "DefaultAzureCredential": "_credentials.default",
    "DeviceCodeCredential": "_credentials.device_code",
    "EnvironmentCredential": "_credentials.environment",
    "get_bearer_token_provider": "_bearer_token_provider",
    "GitHubActionsCredential": "_credentials.github_actions",
    "InteractiveBrowserCredential": "_credentials.browser",
    "KnownAuthorities": "_constants",
    "ManagedIdentityCredential": "_credentials.managed_identity",
    "OnBehalfOfCredential": "_credentials.on_behalf_of",
    "SharedTokenCacheCredential": "_credentials.shared_cache",
    "TokenCachePersistenceOptions": "_persistence",
    "UsernamePasswordCredential": "_credentials.user_password",
    "VisualStudioCodeCredential": "_credentials.vscode",
    "WorkloadIdentityCredential": "_credentials.workload_identity",
}

__all__ = [
    "AuthenticationRecord",
    "AuthenticationRequiredError",
    "AuthorizationCodeCredential",
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
    "DeviceCodeCredential",
    "EnvironmentCredential",
    "get_bearer_token_provider",
    "GitHubActionsCredential",
    "InteractiveBrowserCredential",
    "KnownAuthorities",
    "ManagedIdentityCredential",
    "OnBehalfOfCredential",
    "SharedTokenCacheCredential",
    "TokenCachePersistenceOptions",
    "UsernamePasswordCredential",
    "VisualStudioCodeCredential",
    "WorkloadIdentityCredential",
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
    from ._errors.logging import configure_from_environment as _configure

    _configure()
