"""The environment variables by which hosts make themselves known, set for a while and then put back."""

from __future__ import annotations

from typing import Dict, Mapping, MutableMapping, Optional

HOST_VARIABLES = (
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IDENTITY_API_VERSION",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "DEFAULT_IDENTITY_CLIENT_ID",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZUREPS_HOST_ENVIRONMENT",
    "AZURE_AUTHORITY_HOST",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_KUBERNETES_TOKEN_PROXY",
    "AZURE_KUBERNETES_SNI_NAME",
    "AZURE_KUBERNETES_CA_FILE",
    "AZURE_KUBERNETES_CA_DATA",
)
"""Everything that some host sets. A program that sees variables of two hosts would take either for its own."""


class Surrounding:
    """The variables of one host in `environ`, instead of those of any other."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environ = environ
        self._before: Dict[str, Optional[str]] = {}

    def enter(self, variables: Mapping[str, str]) -> None:
        """Remove every `HOST_VARIABLES`, and set `variables`."""
        names = (*HOST_VARIABLES, *variables)
        self._before = {name: self._environ.get(name) for name in names}
        for name in HOST_VARIABLES:
            self._environ.pop(name, None)
        self._environ.update(variables)

    def leave(self) -> None:
        """Put back what was there before."""
        for name, value in self._before.items():
            if value is None:
                self._environ.pop(name, None)
            else:
                self._environ[name] = value
        self._before = {}
