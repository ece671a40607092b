"""The Instance Metadata Service of virtual machines, scale sets, AKS nodes and container instances.

"How to use managed identities for Azure resources on an Azure VM to acquire an access token" and "Azure Instance
Metadata Service for virtual machines".
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional

from aiohttp import web

from ..directory.directory import derived_id
from ..endpoints.http_face import Route
from ..endpoints.resource_manager import subscription_id
from .asking import invalid, oauth_error, repeated, selectors
from .face import Refusal
from .host import HttpHost, Site
from .identities import ManagedIdentity
from .tokens import UnknownResourceError

TOKEN_PATH = "/metadata/identity/oauth2/token"
API_VERSIONS = (
    "2018-02-01",
    "2018-04-02",
    "2018-10-01",
    "2019-02-01",
    "2019-03-11",
    "2019-04-30",
    "2019-06-01",
    "2019-06-04",
    "2019-08-01",
    "2019-08-15",
    "2019-11-01",
    "2020-06-01",
    "2020-07-15",
    "2020-09-01",
    "2020-10-01",
    "2020-12-01",
    "2021-01-01",
    "2021-02-01",
)
"""The versions of the service, oldest first. Tokens came with 2018-02-01."""

SELECTORS = {"client_id": "client_id", "object_id": "object_id", "msi_res_id": "resource_id"}

# "Rate limiting": the identity category allows this many requests a second.
_PER_SECOND = 20

_DOCKER_DESKTOP = (
    "connecting to 169.254.169.254:80: connecting to 169.254.169.254:80: dial tcp 169.254.169.254:80: connectex: "
    "A socket operation was attempted to an unreachable network."
)
_DESCRIPTIONS = {
    404: ("not_found", "The endpoint is being updated."),
    410: ("gone", "The endpoint is being updated and will be back within 70 seconds."),
    429: ("too_many_requests", "Too many requests."),
    500: ("unknown", "Failed to retrieve a token from the Active directory."),
}
_ERRORS = {401: "unknown_source", 404: "not_found", 405: "method_not_allowed"}


class ImdsHost(HttpHost):
    """A virtual machine. It sets no variables: programs ask a fixed address, 169.254.169.254.

    Where `EntraEmulator(imds_address=...)` gives an address it listens there, else on a free port of 127.0.0.1.

    :keyword via: `pod-identity` sets AZURE_POD_IDENTITY_AUTHORITY_HOST, which leads clients here. Default: None.
    :keyword location: the Azure region, as the instance metadata tells it.
    :keyword limits: whether to refuse more than 20 requests a second, as the real one does. Default: False, for tests
        that must not depend on the speed of the machine.
    """

    kind = "imds"
    _keeps_tokens = None  # Entra is asked on a miss or after expiry only

    def __init__(
        self,
        site: Site,
        *,
        via: Optional[str] = None,
        location: str = "westeurope",
        limits: bool = False,
        **common: Any,
    ) -> None:
        if via not in (None, "pod-identity"):
            raise ValueError(f"via: expected 'pod-identity' or None, got {via!r}")
        super().__init__(site, **common)
        self.location = location
        self._via = via
        self._limits = limits
        self._recent: Deque[float] = deque()
        self._updating_until = 0
        self._address = site.imds_address or ("127.0.0.1", 0)

    @property
    def url(self) -> str:
        """`http://host:port`, without the port if it is 80."""
        host = f"[{self._address[0]}]" if ":" in self._address[0] else self._address[0]
        return f"http://{host}" if self.port == 80 else f"http://{host}:{self.port}"

    def updating(self, seconds: int = 70) -> None:
        """Answer 410 during the next `seconds` of the emulator's clock, as while the service is updated."""
        self._updating_until = self._clock.now() + seconds

    def docker_desktop(self, *, as_text: bool = False) -> None:
        """Answer as Docker Desktop does for addresses that cannot be reached: 403, and a text that says so.

        :keyword as_text: plain text, as some versions have it, not JSON.
        """
        self._face.let_answer(_docker_desktop_text if as_text else _docker_desktop_json)

    def recover(self) -> None:
        """End `updating`, `docker_desktop`, `black_hole`, `refuse` and `captive_portal`. Scripted faults stay."""
        self._updating_until = 0
        super().recover()

    # ---- inside ----

    def _start(self) -> Dict[str, str]:
        self._listen(*self._address)
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.url} if self._via else {}

    def _routes(self) -> List[Route]:
        return [
            Route("imds", "GET", TOKEN_PATH, self._token),
            Route("imds", "*", "/metadata/identity{rest:.*}", self._unknown_source),
            Route("imds-compute", "GET", "/metadata/instance/compute", self._compute),
            Route("imds-compute", "GET", "/metadata/instance/compute/location", self._location),
        ]

    def _error_body(self, status: int) -> Any:
        return oauth_error(*_DESCRIPTIONS.get(status, (_ERRORS.get(status, "unknown"), "The request failed.")))

    async def _token(self, request: web.Request) -> web.Response:
        check_metadata(request)
        _check_version(request)
        if self._clock.now() < self._updating_until:
            raise Refusal(410, self._error_body(410))
        name = repeated(request.query)
        if name is not None:
            raise invalid(f"The parameter '{name}' appears more than once.")
        resource = request.query.get("resource", "")
        if not resource:
            raise invalid("Required query parameter 'resource' is missing.")
        self._count()
        return self._answer(self._identity(request), resource)

    def _answer(self, identity: ManagedIdentity, resource: str) -> web.Response:
        try:
            token = self._tokens.token(identity, resource)
        except UnknownResourceError as error:
            raise unknown_resource(resource) from error
        lifetime = str(max(token.expires_on - self._clock.now(), 0))
        return web.json_response(
            {
                "access_token": token.value,
                "client_id": identity.client_id,
                "expires_in": lifetime,
                "expires_on": str(token.expires_on),
                "ext_expires_in": lifetime,
                "not_before": str(token.not_before),
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    def _identity(self, request: web.Request) -> ManagedIdentity:
        named = selectors(request.query, SELECTORS)
        if len(named) > 1:
            raise invalid("Specify the identity by one of client_id, object_id and msi_res_id.")
        found = self._assigned.find(*named[0]) if named else self._assigned.system
        if found is None and not named:
            if len(self._assigned.user) > 1:
                raise invalid("Multiple user assigned identities exist, specify the one the token is for.")
            found = next(iter(self._assigned.user), None)
        if found is None:
            raise invalid("Identity not found")
        return found

    async def _unknown_source(self, request: web.Request) -> web.Response:
        raise invalid(f"Unknown source {request.path}", "unknown_source", 401)

    async def _compute(self, request: web.Request) -> web.Response:
        check_metadata(request)
        _check_version(request)
        identity = self._site.system_identity
        tenant = self._site.realm.tokens.tenant(self._site.tenant_id)
        return web.json_response(
            {
                "azEnvironment": "AzurePublicCloud",
                "location": self.location,
                "name": identity.name,
                "osType": "Linux",
                "provider": "Microsoft.Compute",
                "resourceGroupName": "entra-emulator",
                "resourceId": identity.resource_id,
                "subscriptionId": subscription_id(tenant),
                "vmId": derived_id("machine", identity.resource_id),
            }
        )

    async def _location(self, request: web.Request) -> web.Response:
        check_metadata(request)
        _check_version(request)
        if request.query.get("format") == "text":
            return web.Response(text=self.location)
        return web.json_response(self.location)

    def _count(self) -> None:
        if not self._limits:
            return
        now = time.monotonic()
        while self._recent and now - self._recent[0] >= 1:
            self._recent.popleft()
        if len(self._recent) >= _PER_SECOND:
            raise Refusal(429, self._error_body(429), {"Retry-After": "1"})
        self._recent.append(now)


def check_metadata(request: web.Request) -> None:
    """The guard against requests that somebody has made the program send (server-side request forgery).

    :raises Refusal: there is no `Metadata: true`, or a proxy has forwarded the request.
    """
    if request.headers.get("Metadata") != "true":
        raise invalid("Required metadata header not specified", "bad_request_102")
    if "X-Forwarded-For" in request.headers:
        raise invalid("Requests with an X-Forwarded-For header are refused.")


def unknown_resource(resource: str) -> Refusal:
    """What Entra says to that, as IMDS and Azure Arc pass it on."""
    return invalid(
        f"AADSTS500011: The resource principal named {resource} was not found in the tenant. This can happen if the "
        "application has not been installed by the administrator of the tenant.",
        "invalid_resource",
    )


def _check_version(request: web.Request) -> None:
    if request.query.get("api-version") not in API_VERSIONS:
        raise Refusal(
            400,
            {
                "error": "Bad request. api-version is invalid or was not specified in the request.",
                "newest-versions": list(API_VERSIONS[:-4:-1]),
            },
        )


def _docker_desktop_json() -> web.Response:
    return web.json_response({"error": _DOCKER_DESKTOP}, status=403)


def _docker_desktop_text() -> web.Response:
    return web.Response(text=_DOCKER_DESKTOP, status=403)
