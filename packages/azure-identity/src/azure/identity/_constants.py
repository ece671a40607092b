"""Public constants, and names that programs have come to import from here."""

from __future__ import annotations

from typing import Any

from ._values import settings

DEVELOPER_SIGN_ON_CLIENT_ID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""The public application users sign in to when none is named; the Azure CLI uses the same."""
VSCODE_CLIENT_ID = "aebc6443-996d-45c2-90f0-388ff96faa56"
"""The Visual Studio Code Azure extensions' application."""


class _Hosts(type):
    """Germany's cloud closed on 2021-10-29. Its host still resolves, with a warning."""

    def __getattr__(cls, name: str) -> Any:
        if name == "AZURE_GERMANY":
            import warnings

            warnings.warn(
                f"{cls.__name__}.AZURE_GERMANY is deprecated: Microsoft Cloud Germany closed on 2021-10-29.",
                DeprecationWarning,
                stacklevel=2,
            )
            return "login.microsoftonline.de"
        raise AttributeError(f"{name} not found in {cls.__name__}")


class AzureAuthorityHosts(metaclass=_Hosts):
    """Hosts of the authorities of Microsoft's clouds, for the `authority` keyword and AZURE_AUTHORITY_HOST."""

    AZURE_PUBLIC_CLOUD = "login.microsoftonline.com"
    AZURE_CHINA = "login.chinacloudapi.cn"
    AZURE_GOVERNMENT = "login.microsoftonline.us"


class KnownAuthorities(AzureAuthorityHosts):
    """The former name of AzureAuthorityHosts."""


class EnvironmentVariables:
    """Names of environment variables, kept for programs that import them from here."""

    AZURE_CLIENT_ID = settings.CLIENT_ID
    AZURE_CLIENT_SECRET = settings.CLIENT_SECRET
    AZURE_TENANT_ID = settings.TENANT_ID
    CLIENT_SECRET_VARS = (AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_TENANT_ID)

    AZURE_CLIENT_CERTIFICATE_PATH = settings.CERTIFICATE_PATH
    AZURE_CLIENT_CERTIFICATE_PASSWORD = settings.CERTIFICATE_PASSWORD
    AZURE_CLIENT_SEND_CERTIFICATE_CHAIN = settings.SEND_CERTIFICATE_CHAIN
    CERT_VARS = (AZURE_CLIENT_ID, AZURE_CLIENT_CERTIFICATE_PATH, AZURE_TENANT_ID)

    AZURE_USERNAME = settings.USERNAME
    AZURE_PASSWORD = settings.PASSWORD
    USERNAME_PASSWORD_VARS = (AZURE_CLIENT_ID, AZURE_USERNAME, AZURE_PASSWORD)

    AZURE_AUTHORITY_HOST = settings.AUTHORITY_HOST
    AZURE_REGIONAL_AUTHORITY_NAME = settings.REGIONAL_AUTHORITY
    AZURE_FEDERATED_TOKEN_FILE = settings.FEDERATED_TOKEN_FILE
    AZURE_TOKEN_CREDENTIALS = settings.TOKEN_CREDENTIALS
    WORKLOAD_IDENTITY_VARS = (AZURE_AUTHORITY_HOST, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE)

    IDENTITY_ENDPOINT = settings.IDENTITY_ENDPOINT
    IDENTITY_HEADER = settings.IDENTITY_HEADER
    IDENTITY_SERVER_THUMBPRINT = settings.IDENTITY_SERVER_THUMBPRINT
    IMDS_ENDPOINT = settings.IMDS_ENDPOINT
    MSI_ENDPOINT = settings.MSI_ENDPOINT
    MSI_SECRET = settings.MSI_SECRET
    AZURE_POD_IDENTITY_AUTHORITY_HOST = settings.POD_IDENTITY_AUTHORITY_HOST
    AZURE_KUBERNETES_TOKEN_PROXY = settings.KUBERNETES_TOKEN_PROXY
    AZURE_KUBERNETES_SNI_NAME = settings.KUBERNETES_SNI_NAME
    AZURE_KUBERNETES_CA_FILE = settings.KUBERNETES_CA_FILE
    AZURE_KUBERNETES_CA_DATA = settings.KUBERNETES_CA_DATA
    AZURE_IDENTITY_DISABLE_MULTITENANTAUTH = settings.DISABLE_MULTITENANT
