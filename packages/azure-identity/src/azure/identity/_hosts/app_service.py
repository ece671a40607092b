"""App Service, Functions, Container Apps, Automation. On the wire: one GET to IDENTITY_ENDPOINT with the secret of
IDENTITY_HEADER."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping

from .._protocols.identities import CLIENT_ID, OBJECT_ID, RESOURCE_ID
from .host import Host

if TYPE_CHECKING:
    from .._values.messages import Request
    from .host import Errand


class AppServiceHost(Host):
    """The token endpoint of App Service and its relatives."""

    kind = "app-service"
    label = "App Service managed identity"
    name = "the App Service token endpoint"
    ids: Mapping[str, str] = {CLIENT_ID: "client_id", OBJECT_ID: "object_id", RESOURCE_ID: "mi_res_id"}
    next_step = (
        "Check that the app has a managed identity, that a user-assigned one is named by its id (Container Apps and "
        "Functions need that), and the scope."
    )

    def request(self, errand: Errand) -> Request:
        from .._protocols.app_service import token_request
        from .._protocols.managed_identity import selector

        return token_request(self.endpoint, self.secret, errand.resource, selector(errand.identity, self.ids))


AppServiceCredential = AppServiceHost
"""The name under which programs have come to look for it."""
