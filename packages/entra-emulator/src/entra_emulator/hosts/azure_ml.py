"""Compute of Azure Machine Learning: the older App Service protocol, with a default identity in a variable of its own.

"Set up authentication between Azure Machine Learning and other services".
"""

from __future__ import annotations

import secrets
import uuid
from typing import Any, Dict, List, Optional

from aiohttp import web

from ..endpoints.http_face import Route
from ..tokens.access_tokens import AccessToken
from .app_service import VERSION_2017, same
from .asking import status_error
from .expiry import STYLES, write_expiry
from .face import Refusal
from .host import HttpHost, Site
from .identities import ManagedIdentity
from .tokens import UnknownResourceError

TOKEN_PATH = "/msi/token"
NO_IDENTITY = "clientid"
"""What DEFAULT_IDENTITY_CLIENT_ID holds where no identity is enabled."""


class AzureMlHost(HttpHost):
    """A compute instance. Without a client id it gives tokens of the person who uses it, not of an identity.

    :keyword default_identity: what DEFAULT_IDENTITY_CLIENT_ID names. Default: the first user-assigned identity, else
        the system-assigned one.
    :keyword expires_on: how the end of a token's life is written: one of `hosts.expiry.STYLES`.
    """

    kind = "azure-ml"

    def __init__(
        self,
        site: Site,
        *,
        default_identity: Optional[ManagedIdentity] = None,
        expires_on: str = "text",
        **common: Any,
    ) -> None:
        if expires_on not in STYLES:
            raise ValueError(f"expires_on: expected one of {', '.join(STYLES)}, got {expires_on!r}")
        super().__init__(site, **common)
        self._style = expires_on
        self._default = default_identity
        self.secret = secrets.token_hex(16)
        """What requests must prove to know."""

    def _start(self) -> Dict[str, str]:
        self._listen()
        default = self._default or next(iter([*self._assigned.user, *self._assigned.all]), None)
        return {
            "MSI_ENDPOINT": f"{self.url}{TOKEN_PATH}",
            "MSI_SECRET": self.secret,
            "DEFAULT_IDENTITY_CLIENT_ID": default.client_id if default else NO_IDENTITY,
        }

    def _routes(self) -> List[Route]:
        return [Route("azure-ml", "GET", TOKEN_PATH, self._token)]

    def _error_body(self, status: int) -> Any:
        return status_error(status, "The request failed.", str(uuid.uuid4()))

    async def _token(self, request: web.Request) -> web.Response:
        if request.query.get("api-version") != VERSION_2017:
            raise _refusal(400, "The api-version is missing or not supported.")
        if not same(request.headers.get("secret", ""), self.secret):
            raise _refusal(401, "The request does not carry the secret of this compute.")
        resource = request.query.get("resource", "")
        if not resource:
            raise _refusal(400, "The parameter 'resource' is missing.")
        token = self._issue(request.query.get("clientid", ""), resource)
        return web.json_response(
            {
                "access_token": token.value,
                "expires_on": write_expiry(token.expires_on, self._style),
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    def _issue(self, client_id: str, resource: str) -> AccessToken:
        try:
            if not _is_guid(client_id):
                self._tokens.resource(resource)
                return self._tokens.user_token(resource, self._site.tenant_id)
            identity = self._assigned.find("client_id", client_id)
            if identity is None:
                raise _refusal(400, "No managed identity of this client id is assigned to the compute.")
            return self._tokens.token(identity, resource)
        except UnknownResourceError as error:
            raise _refusal(500, "An unexpected error occurred while fetching the token.") from error


def _is_guid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _refusal(status: int, message: str) -> Refusal:
    return Refusal(status, status_error(status, message, str(uuid.uuid4())))
