"""The token service: one function per grant.

A grant takes a `TokenRequest` and returns the members of the answer, or raises `EntraError`. It knows no HTTP.
"""

from __future__ import annotations

import uuid
from typing import Any, Awaitable, Callable, Dict, Mapping, Optional, Tuple

from ..directory.directory import App, Directory, Resource, Tenant, derived_id
from ..values import well_known
from ..values.errors import aadsts
from ..values.settings import Settings
from .access_tokens import AccessToken, Grant, TokenIssuer
from .claims_requests import granted_claims, not_before, parse_claims_request
from .client_authentication import ClientAuthenticator, Proof
from .conditional_access import ConditionalAccess
from .scopes import application_resource
from .token_request import TokenRequest

Answer = Dict[str, Any]

# A client is told to refresh at half time, if the token lives long enough for that to be worth it.
_LONG_LIVED = 2 * 3600


class TokenService:
    """Answers token requests from the directory."""

    def __init__(
        self,
        directory: Directory,
        authenticator: ClientAuthenticator,
        issuer: TokenIssuer,
        settings: Settings,
        policies: Optional[ConditionalAccess] = None,
    ) -> None:
        self._directory = directory
        self._authenticator = authenticator
        self._issuer = issuer
        self._settings = settings
        self._policies = policies or ConditionalAccess()
        self._grants: Dict[str, Callable[[TokenRequest], Awaitable[Answer]]] = {
            "client_credentials": self.client_credentials,
        }

    def add_grants(self, grants: Mapping[str, Callable[[TokenRequest], Awaitable[Answer]]]) -> None:
        """Understand more values of `grant_type`."""
        self._grants.update(grants)

    async def answer(self, request: TokenRequest) -> Answer:
        """The members of a successful answer. :raises EntraError: a refusal."""
        name = request.required("grant_type")
        grant = self._grants.get(name)
        if grant is None:
            raise aadsts(70003, grant=name)
        return await grant(request)

    async def client_credentials(self, request: TokenRequest) -> Answer:
        """A token for an app that acts for itself (RFC 6749, section 4.4)."""
        tenant = self._one_tenant(request.tenant_name)
        app, known = self.app(tenant, request.client_id)
        audience = self._audience(request)
        proof = await self._authenticator.authenticate(request, tenant, app, known=known)
        check_region(request, proof)
        resource = self.resource(audience, tenant.display_name or tenant.domain)
        capabilities = request.capabilities()
        requested = parse_claims_request(request.get("claims"))
        extra = granted_claims(requested, self._policies.grantable(resource.app_id))
        token = self._issuer.issue(
            Grant(tenant, app, resource, audience, proof.method, capabilities, extra, not_before(requested))
        )
        return v2_answer(token) if request.version == 2 else v1_answer(token, audience)

    def tenant(self, name: str) -> Tenant:
        """The tenant of this id or domain. :raises EntraError: AADSTS90002, there is none."""
        tenant = self._directory.tenant(name)
        if tenant is not None:
            return tenant
        if self._settings.strict:
            raise aadsts(90002, tenant=name)
        return _made_up_tenant(name)

    def _one_tenant(self, name: str) -> Tenant:
        if name.lower() in well_known.PSEUDO_TENANTS:
            raise aadsts(50059, tenant=name)
        return self.tenant(name)

    def app(self, tenant: Tenant, client_id: str) -> Tuple[App, bool]:
        """The app of this client id, and whether it is registered."""
        app = self._directory.app_in(tenant, client_id)
        if app is not None:
            return app, True
        if self._settings.strict:
            raise aadsts(700016, client_id=client_id, tenant=tenant.display_name or tenant.domain)
        return App(client_id, tenant.id), False

    @staticmethod
    def _audience(request: TokenRequest) -> str:
        """The resource as the client has named it."""
        if request.version == 1:
            resource = request.get("resource")
            if not resource:
                raise aadsts(90014, name="resource")
            return resource
        if request.get("resource"):
            raise aadsts(901002)
        scope = request.get("scope").strip()
        if not scope:
            raise aadsts(90014, name="scope")
        return application_resource(scope)

    def resource(self, identifier: str, tenant: str) -> Resource:
        """The API of this identifier.

        :param tenant: how the error names the tenant.
        :raises EntraError: AADSTS500011, there is none.
        """
        resource = self._directory.resource(identifier)
        if resource is not None:
            return resource
        if self._settings.strict:
            raise aadsts(500011, resource=identifier, tenant=tenant)
        return Resource(derived_id("api", identifier), (identifier,))


def v2_answer(token: AccessToken) -> Answer:
    """The members of a v2 answer: numbers are numbers."""
    lifetime = token.expires_on - token.issued_at
    answer: Answer = {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime}
    if lifetime >= _LONG_LIVED:
        answer["refresh_in"] = lifetime // 2
    answer["access_token"] = token.value
    return answer


def v1_answer(token: AccessToken, resource: str) -> Answer:
    """The members of a v1 answer: numbers are decimal strings."""
    lifetime = token.expires_on - token.issued_at
    answer: Answer = {"token_type": "Bearer", "expires_in": str(lifetime), "ext_expires_in": str(lifetime)}
    if lifetime >= _LONG_LIVED:
        answer["refresh_in"] = str(lifetime // 2)
    answer["expires_on"] = str(token.expires_on)
    answer["not_before"] = str(token.not_before)
    answer["resource"] = resource
    answer["access_token"] = token.value
    return answer


def check_region(request: TokenRequest, proof: Proof) -> None:
    """:raises EntraError: AADSTS100007, the regional endpoint does not serve such a client."""
    if request.region is not None and not proof.by_subject_name:
        raise aadsts(100007)


def _made_up_tenant(name: str) -> Tenant:
    """The tenant a permissive emulator sees behind an unknown name."""
    try:
        return Tenant(str(uuid.UUID(name)), (f"{name.lower()}.example",))
    except ValueError:
        return Tenant(derived_id("tenant", name), (name.lower(),))
