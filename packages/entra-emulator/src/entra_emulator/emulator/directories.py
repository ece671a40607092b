"""The part of `EntraEmulator` that is about tenants, apps, APIs and managed identities."""

from __future__ import annotations

import dataclasses
import secrets as random_secrets
import uuid
from typing import (
    Mapping,
    Optional,
    Sequence,
    Union,
)

from ..directory.directory import App, FederatedCredential, Resource, Secret, Tenant, derived_id
from ..directory.registrations import RegisteredApp
from ..hosts.identities import A_DAY, ManagedIdentity, user_assigned_resource_id
from ..sign_in.authorization import redirect_uri_matches
from .people import People


class Directories(People):
    """Tenants, apps, APIs and managed identities. A part of `EntraEmulator`."""

    def add_tenant(
        self, domain: str, *, tenant_id: Optional[str] = None, display_name: str = "", more_domains: Sequence[str] = ()
    ) -> Tenant:
        """Add a tenant.

        :param domain: its domain name, such as `fabrikam.onmicrosoft.com`.
        :keyword tenant_id: a GUID. Default: a random one.
        :raises ValueError: a name is taken, or the id is no GUID.
        """
        identity = _guid(tenant_id, "tenant_id")
        return self._realm.directory.add_tenant(Tenant(identity, (domain, *more_domains), display_name or domain))

    def add_app(
        self,
        display_name: str = "",
        *,
        client_id: Optional[str] = None,
        tenant: Optional[Tenant] = None,
        secrets: Optional[Sequence[Union[str, Secret]]] = None,
        certificates: Sequence[bytes] = (),
        federated_credentials: Sequence[FederatedCredential] = (),
        roles: Optional[Mapping[str, Sequence[str]]] = None,
        multi_tenant: bool = False,
        token_lifetime: Optional[int] = None,
        public: bool = False,
        redirect_uris: Sequence[str] = (),
        family: str = "",
        permissions: Optional[Mapping[str, Sequence[str]]] = None,
        admin_consent: bool = False,
    ) -> RegisteredApp:
        """Register an app.

        :keyword client_id: a GUID. Default: a random one.
        :keyword tenant: its home. Default: the default tenant.
        :keyword secrets: client secrets. Default: one random secret; `()` for none.
        :keyword certificates: PEM certificates.
        :keyword federated_credentials: trust in external issuers.
        :keyword roles: app roles by resource (app id or identifier URI).
        :keyword multi_tenant: whether every tenant knows it.
        :keyword token_lifetime: seconds. Default: the emulator's.
        :keyword public: whether it runs on its users' devices: it has no secret, and uses PKCE. Default: a web app.
        :keyword redirect_uris: where sign-ins may return to. Of `http://localhost`, any port does.
        :keyword family: the family of apps that share refresh tokens, such as `1`. Default: none.
        :keyword permissions: delegated permissions that the registration lists, by resource. Default: all that users
            may consent to.
        :keyword admin_consent: whether nobody is asked for consent to anything.
        :raises ValueError: the client id is taken or no GUID, the lifetime is not positive, a redirect URI is none, or
            a public app has a credential.
        :raises LookupError: a resource in `roles` or `permissions` is unknown.
        """
        identity = _guid(client_id, "client_id")
        if self._realm.directory.app(identity) is not None:
            raise ValueError(f"client_id: {identity} is taken")
        if token_lifetime is not None and token_lifetime <= 0:
            raise ValueError(f"token_lifetime: expected positive seconds, got {token_lifetime}")
        if public and (secrets or certificates or federated_credentials):
            raise ValueError("public: expected an app without secrets, certificates and federated credentials")
        for uri in redirect_uris:
            if not redirect_uri_matches(uri, uri):
                raise ValueError(f"redirect_uris: expected absolute URIs without a fragment, got {uri!r}")
        listed = None
        if permissions is not None:
            listed = {self._resource_of(name).app_id: tuple(scopes) for name, scopes in permissions.items()}
        given = [random_secrets.token_urlsafe(30)] if secrets is None and not public else secrets or ()
        self._realm.directory.put_app(
            App(
                identity,
                (tenant or self.tenant).id,
                display_name or f"app {identity[:8]}",
                secrets=tuple(one if isinstance(one, Secret) else Secret(one) for one in given),
                federated_credentials=tuple(federated_credentials),
                multi_tenant=multi_tenant,
                token_lifetime=token_lifetime,
                public=public,
                redirect_uris=tuple(redirect_uris),
                family=family,
                permissions=listed,
                consented=admin_consent,
            )
        )
        app = self._registered(identity)
        for pem in certificates:
            app.add_certificate(pem)
        for resource, granted in (roles or {}).items():
            app.grant(resource, *granted)
        return app

    def add_resource(
        self,
        identifier: str,
        *more_identifiers: str,
        app_id: Optional[str] = None,
        token_version: int = 1,
        display_name: str = "",
        scopes: Sequence[str] = ("user_impersonation",),
        admin_scopes: Sequence[str] = (),
    ) -> Resource:
        """Register an API that tokens can be asked for.

        :param identifier: its identifier URI, such as `api://orders`.
        :keyword app_id: a GUID. Default: a random one.
        :keyword token_version: which access tokens it accepts, 1 or 2.
        :keyword scopes: delegated permissions that users may consent to.
        :keyword admin_scopes: those that need an administrator's consent.
        :raises ValueError: an identifier is taken, the id is no GUID, or the version is another.
        """
        if token_version not in (1, 2):
            raise ValueError(f"token_version: expected 1 or 2, got {token_version!r}")
        identity = _guid(app_id, "app_id")
        return self._realm.directory.add_resource(
            Resource(
                identity,
                (identifier, *more_identifiers),
                token_version,
                display_name or identifier,
                scopes=tuple(scopes),
                admin_scopes=tuple(admin_scopes),
            )
        )

    def add_managed_identity(
        self,
        name: str,
        *,
        client_id: Optional[str] = None,
        tenant: Optional[Tenant] = None,
        roles: Optional[Mapping[str, Sequence[str]]] = None,
        token_lifetime: int = A_DAY,
    ) -> ManagedIdentity:
        """Create a user-assigned managed identity. `host(..., identities=[it])` assigns it to a host.

        :param name: its name; the last part of its Azure resource id.
        :keyword client_id: a GUID. Default: one that depends on tenant and name, the same in every run.
        :keyword tenant: default: the default tenant.
        :keyword roles: app roles by resource (app id or identifier URI).
        :keyword token_lifetime: seconds. Default: a day.
        :raises ValueError: the name is empty, the client id is taken or no GUID, or the lifetime is not positive.
        :raises LookupError: a resource in `roles` is unknown.
        """
        if not name or "/" in name:
            raise ValueError(f"name: expected a name without slashes, got {name!r}")
        resource_id = user_assigned_resource_id(tenant or self.tenant, name)
        app = self.add_app(
            name,
            client_id=client_id or derived_id("managed-identity", (tenant or self.tenant).id, name),
            tenant=tenant,
            secrets=(),
            roles=roles,
            token_lifetime=token_lifetime,
        )
        self._realm.directory.put_app(dataclasses.replace(app.registration, managed_resource_id=resource_id))
        return ManagedIdentity(app)

    def _registered(self, client_id: str) -> RegisteredApp:
        raise NotImplementedError


def _guid(value: Optional[str], name: str) -> str:
    if value is None:
        return str(uuid.uuid4())
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError(f"{name}: expected a GUID, got {value!r}") from None
