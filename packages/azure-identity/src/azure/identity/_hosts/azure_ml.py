"""Azure Machine Learning, and App Service before 2019. On the wire: one GET to MSI_ENDPOINT with the secret of
MSI_SECRET.

A compute instance that is asked without a client id answers with a token of the person who created it. The platform
therefore names its default identity in DEFAULT_IDENTITY_CLIENT_ID, which is asked for when the program names none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping

from .._protocols.identities import CLIENT_ID, Identity, is_guid
from .._values import settings
from .host import Host

if TYPE_CHECKING:
    from .._values.messages import Request
    from .host import Errand


class AzureMLHost(Host):
    """The token endpoint of Azure Machine Learning."""

    kind = "azure-ml"
    label = "Azure ML managed identity"
    name = "the Azure Machine Learning token endpoint"
    ids: Mapping[str, str] = {CLIENT_ID: "clientid"}
    next_step = "Check that the compute has a managed identity, that it is named by its client id, and the scope."

    def settle(self, identity: Identity, in_default_chain: bool) -> Identity:
        if identity.kind:
            return identity
        # Where no identity is enabled the variable says "clientid".
        default = settings.read(settings.DEFAULT_IDENTITY_CLIENT_ID) or ""
        return identity._replace(kind=CLIENT_ID, value=default) if is_guid(default) else identity

    def request(self, errand: Errand) -> Request:
        from .._protocols.azure_ml import token_request
        from .._protocols.managed_identity import selector

        return token_request(self.endpoint, self.secret, errand.resource, selector(errand.identity, self.ids))


AzureMLCredential = AzureMLHost
"""The name under which programs have come to look for it."""
