"""Service Fabric. On the wire: one GET to IDENTITY_ENDPOINT, over TLS to the one certificate that
IDENTITY_SERVER_THUMBPRINT names; the secret of IDENTITY_HEADER is sent after that is checked.

The host knows no ids but the object id of a user-assigned identity. One it does not understand it is said to pass over
in silence, so the token itself is looked at too: one that names another object is not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from .._errors.logging import unverified_claims
from .._protocols.identities import OBJECT_ID, Identity
from .._values import settings
from .host import Host

if TYPE_CHECKING:
    from .._values.messages import Request, Response, Token, Unreachable
    from .host import Errand


class ServiceFabricHost(Host):
    """The token endpoint of a Service Fabric node."""

    kind = "service-fabric"
    label = "Service Fabric managed identity"
    name = "the Service Fabric token endpoint"
    ids: Mapping[str, str] = {OBJECT_ID: "principalId"}
    capabilities = True
    next_step = "Check that the application manifest assigns the identity to this service, and the scope."

    def __init__(self, who: str, endpoint: str, options: Mapping[str, Any], secret: str, thumbprint: str) -> None:
        super().__init__(who, endpoint, options, secret)
        self._thumbprint = thumbprint
        self._api_version = settings.read(settings.IDENTITY_API_VERSION)

    def check(self, identity: Identity) -> None:
        from .._protocols.service_fabric import normal_thumbprint

        super().check(identity)
        if not self.endpoint.lower().startswith("https://"):
            raise self.failed(f"{self.name} must be an https URL, but {settings.IDENTITY_ENDPOINT} is not.")
        if normal_thumbprint(self._thumbprint) is None:
            raise self.failed(
                f"{settings.IDENTITY_SERVER_THUMBPRINT} must be a SHA-1 or SHA-256 thumbprint, 40 or 64 hexadecimal "
                f"digits, but it is {self.clean(self._thumbprint, limit=100)!r}. Nothing was sent."
            )

    def request(self, errand: Errand) -> Request:
        from .._protocols.managed_identity import selector
        from .._protocols.service_fabric import normal_thumbprint, token_request

        return token_request(
            self.endpoint,
            self.secret,
            normal_thumbprint(self._thumbprint) or "",
            errand.resource,
            selector(errand.identity, self.ids),
            api_version=self._api_version,
            rejected=errand.rejected,
            cae=errand.ask.cae,
        )

    def confirm(self, identity: Identity, body: Mapping[str, Any], token: Token, response: Response) -> None:
        from .._protocols.managed_identity import same_id

        super().confirm(identity, body, token, response)
        shown = unverified_claims(token.token).get("oid") if identity.kind else None
        if isinstance(shown, str) and not same_id(shown, identity.value):
            raise self.failed(
                f"{self.name} answered with a token of another identity than {identity}: of the one with object id "
                f"{self.clean(shown, limit=100)!r}. The token is not used.",
                response,
            )

    def unreachable(self, error: Unreachable) -> Exception:
        if error.kind == "tls":
            return self.failed(
                f"{self.name} ({error.url}) is not trusted: {error.reason}. Its certificate must have the thumbprint "
                f"in {settings.IDENTITY_SERVER_THUMBPRINT}. The secret was not sent."
            )
        return super().unreachable(error)


ServiceFabricCredential = ServiceFabricHost
"""The name under which programs have come to look for it."""
