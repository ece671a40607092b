"""How to make each public credential: one line a credential, for the tests that hold for all of them.

A credential that is new in `azure.identity.__all__` needs a line here; `shells/test_twins.py` says so.
"""

from __future__ import annotations

import types
import warnings
from pathlib import Path
from typing import Any, Callable, Mapping

import certificates
from leak_watch import planted

TENANT = "e0a5c0de-0000-4000-8000-000000000001"
CLIENT = "e0a5c0de-0000-4000-8000-00000000a001"
SECRET = planted("client-secret")


def assertion() -> str:
    """A callback that can be pickled."""
    return planted("assertion")


# Given the package (azure.identity or azure.identity.aio), the arguments of a credential made without any environment.
ARGUMENTS: Mapping[str, Callable[[types.ModuleType], Any]] = {
    "AuthorizationCodeCredential": lambda _: ((TENANT, CLIENT, planted("code"), "http://localhost:8400"), {}),
    "AzureCliCredential": lambda _: ((), {}),
    "AzureDeveloperCliCredential": lambda _: ((), {}),
    "AzurePipelinesCredential": lambda _: (
        (),
        {
            "tenant_id": TENANT,
            "client_id": CLIENT,
            "service_connection_id": "connection",
            "system_access_token": planted("system-access-token"),
        },
    ),
    "AzurePowerShellCredential": lambda _: ((), {}),
    "CertificateCredential": lambda _: ((TENANT, CLIENT), {"certificate_data": certificates.usable_pem()}),
    "ChainedTokenCredential": lambda package: ((package.EnvironmentCredential(), package.AzureCliCredential()), {}),
    "ClientAssertionCredential": lambda _: ((TENANT, CLIENT, assertion), {}),
    "ClientSecretCredential": lambda _: ((TENANT, CLIENT, SECRET), {}),
    "DefaultAzureCredential": lambda _: ((), {}),
    "DeviceCodeCredential": lambda _: ((), {}),
    "EnvironmentCredential": lambda _: ((), {}),
    "GitHubActionsCredential": lambda _: ((), {"tenant_id": TENANT, "client_id": CLIENT}),
    "InteractiveBrowserCredential": lambda _: ((), {}),
    "ManagedIdentityCredential": lambda _: ((), {}),
    "OnBehalfOfCredential": lambda _: (
        (TENANT, CLIENT),
        {"client_secret": SECRET, "user_assertion": planted("user-assertion")},
    ),
    "SharedTokenCacheCredential": lambda _: ((), {}),
    "UsernamePasswordCredential": lambda _: ((CLIENT, "user@contoso.com", planted("password")), {"tenant_id": TENANT}),
    "VisualStudioCodeCredential": lambda _: ((), {}),
    "WorkloadIdentityCredential": lambda _: (
        (),
        {"tenant_id": TENANT, "client_id": CLIENT, "token_file_path": str(Path("nowhere") / "token")},
    ),
}

TOOLS = frozenset(("AzureCliCredential", "AzureDeveloperCliCredential", "AzurePowerShellCredential"))
"""They send nothing by themselves and take no pipeline options."""
NO_OPTIONS = TOOLS | {"ChainedTokenCredential"}
DEPRECATED = frozenset(("UsernamePasswordCredential",))


def make(package: types.ModuleType, name: str, **more: Any) -> Any:
    """The credential of this name."""
    args, kwargs = ARGUMENTS[name](package)
    with warnings.catch_warnings():
        if name in DEPRECATED:
            warnings.simplefilter("ignore", DeprecationWarning)
        return getattr(package, name)(*args, **kwargs, **more)
