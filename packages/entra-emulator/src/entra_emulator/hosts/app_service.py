"""App Service and Azure Functions, and what speaks the same: Container Apps, Azure Automation.

"How to use managed identities for App Service and Azure Functions", section "REST endpoint reference".
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from typing import Any, Dict, List

from aiohttp import web

from ..endpoints.http_face import Route
from .asking import Selector, selectors, status_error
from .expiry import FLAVOURS, write_expiry
from .face import Refusal
from .host import HttpHost, Site
from .identities import ManagedIdentity
from .tokens import UnknownResourceError

VERSION_2019 = "2019-08-01"
VERSION_2017 = "2017-09-01"
_SELECTORS_2019 = {
    "client_id": "client_id",
    "principal_id": "object_id",
    "object_id": "object_id",
    "mi_res_id": "resource_id",
}
_SELECTORS_2017 = {"clientid": "client_id"}
_EIGHT_HOURS = 8 * 3600


class AppServiceHost(HttpHost):
    """An app of App Service. It serves API version 2019-08-01, and 2017-09-01 under the older variables.

    :keyword flavour: `linux` or `windows`; they differ in the URL, and in the dates of 2017-09-01.
    :keyword require_metadata: whether requests need the header `Metadata: true`, as in Azure Automation.
    """

    kind = "app-service"
    _keeps_tokens = _EIGHT_HOURS  # "the back-end services maintain a cache per resource URI"

    def __init__(self, site: Site, *, flavour: str = "linux", require_metadata: bool = False, **common: Any) -> None:
        if flavour not in FLAVOURS:
            raise ValueError(f"flavour: expected one of {', '.join(FLAVOURS)}, got {flavour!r}")
        super().__init__(site, **common)
        self.flavour = flavour
        self._require_metadata = require_metadata
        self.secret = secrets.token_hex(16).upper()
        """What requests must prove to know."""

    @property
    def endpoint(self) -> str:
        """The URL of the token endpoint."""
        if self.flavour == "windows":
            return f"http://127.0.0.1:{self.port}/MSI/token/"
        return f"http://localhost:{self.port}/msi/token"

    def _start(self) -> Dict[str, str]:
        self._listen()
        return {"IDENTITY_ENDPOINT": self.endpoint, "IDENTITY_HEADER": self.secret, **self._old_variables()}

    def _old_variables(self) -> Dict[str, str]:
        return {"MSI_ENDPOINT": self.endpoint, "MSI_SECRET": self.secret}

    def _routes(self) -> List[Route]:
        paths = ("/msi/token", "/msi/token/", "/MSI/token", "/MSI/token/")
        return [Route(self.kind, "GET", path, self._token) for path in paths]

    def _error_body(self, status: int) -> Any:
        return status_error(status, "The request failed.", str(uuid.uuid4()))

    async def _token(self, request: web.Request) -> web.Response:
        version = request.query.get("api-version")
        if version not in (VERSION_2019, VERSION_2017):
            raise _refusal(400, "The api-version is missing or not supported.")
        old = version == VERSION_2017
        if not same(request.headers.get("secret" if old else "X-IDENTITY-HEADER", ""), self.secret):
            raise _refusal(401, "The request does not carry the secret of this app.")
        if self._require_metadata and request.headers.get("Metadata", "").lower() != "true":
            raise _refusal(400, "The header 'Metadata: true' is missing.")
        resource = request.query.get("resource", "")
        if not resource:
            raise _refusal(400, "The parameter 'resource' is missing.")
        named = selectors(request.query, _SELECTORS_2017 if old else _SELECTORS_2019)
        return self._answer(self._identity(named), resource, old=old)

    def _identity(self, named: List[Selector]) -> ManagedIdentity:
        if len(named) > 1:
            raise _refusal(400, "client_id, principal_id and mi_res_id are mutually exclusive.")
        if not named:
            if self._assigned.system is None:
                raise _refusal(400, "Unable to load the proper Managed Identity.")
            return self._assigned.system
        found = self._assigned.find(*named[0])
        if found is None:
            raise _refusal(
                400,
                "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
            )
        return found

    def _answer(self, identity: ManagedIdentity, resource: str, *, old: bool) -> web.Response:
        try:
            token = self._tokens.token(identity, resource)
        except UnknownResourceError as error:
            raise _refusal(500, "An unexpected error occurred while fetching the token.") from error
        answer: Dict[str, Any] = {
            "access_token": token.value,
            "expires_on": write_expiry(token.expires_on, self.flavour if old else "text"),
            "resource": resource,
            "token_type": "Bearer",
        }
        return web.json_response(answer if old else {**answer, "client_id": identity.client_id.upper()})


class AppService2017Host(AppServiceHost):
    """An app that only knows the older variables, MSI_ENDPOINT and MSI_SECRET (API version 2017-09-01)."""

    kind = "app-service-2017"

    def _start(self) -> Dict[str, str]:
        self._listen()
        return self._old_variables()


def same(presented: str, secret: str) -> bool:
    """Whether `presented` is the secret; takes the same time for every wrong one."""
    return hmac.compare_digest(presented.encode("utf-8", "surrogateescape"), secret.encode())


def _refusal(status: int, message: str) -> Refusal:
    return Refusal(status, status_error(status, message, str(uuid.uuid4())))
