"""The directory: who exists, and what each may do. Plain values, and one class that finds them.

Names compare as Entra compares them: tenants, client ids and resource identifiers without regard to case, resource
identifiers also without regard to one trailing slash.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import uuid
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from ..values import well_known

TOKEN_EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
"""What a federated token must be addressed to ("Workload identity federation", public cloud)."""

# Ids that need no table are derived from names, so they are the same in every run.
_NAMESPACE = uuid.UUID("6d4f5b2e-3d0c-5c39-9f0e-0a1f6c1e9b77")


def derived_id(*parts: str) -> str:
    """A GUID that depends on `parts` alone."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(part.lower() for part in parts)))


@dataclass(frozen=True)
class Tenant:
    """A tenant: a GUID and the domain names that mean the same."""

    id: str
    domains: Tuple[str, ...]
    display_name: str = ""

    @property
    def domain(self) -> str:
        """The first domain name."""
        return self.domains[0]

    @property
    def names(self) -> Tuple[str, ...]:
        """Everything the tenant segment of a URL may say, lower case."""
        return tuple(name.lower() for name in (self.id, *self.domains))


PERSONAL_TENANT = Tenant("9188040d-6c67-4c5b-b112-36a304b66dad", ("live.com",), "Microsoft accounts")
"""The home of all personal accounts ("Access token claims reference", `tid`). It is in no list of tenants."""


@dataclass(frozen=True)
class Secret:
    """A client secret. `expires_on` is epoch seconds; None never expires."""

    value: str = field(repr=False)
    expires_on: Optional[int] = None


@dataclass(frozen=True)
class Certificate:
    """A public certificate registered for an app, found by its thumbprints (base64url, unpadded)."""

    der: bytes = field(repr=False)
    x5t: str
    x5t_s256: str

    @classmethod
    def from_der(cls, der: bytes) -> Certificate:
        # SHA-1 names the certificate (RFC 7515, 4.1.7); nothing relies on its strength.
        sha1 = hashlib.sha1(der, usedforsecurity=False).digest()
        return cls(der, _base64url(sha1), _base64url(hashlib.sha256(der).digest()))


@dataclass(frozen=True)
class FederatedCredential:
    """Trust in tokens of an external issuer. All three are compared exactly."""

    issuer: str
    subject: str
    audience: str = TOKEN_EXCHANGE_AUDIENCE


@dataclass(frozen=True)
class SubjectNameIssuer:
    """Trust in every certificate of `subject` (RFC 4514 text) that the authority `issuer_der` (DER) has issued."""

    subject: str
    issuer_der: bytes = field(repr=False)


@dataclass(frozen=True)
class App:
    """An app registration with its credentials and grants."""

    client_id: str
    tenant_id: str
    display_name: str = ""
    secrets: Tuple[Secret, ...] = ()
    certificates: Tuple[Certificate, ...] = ()
    federated_credentials: Tuple[FederatedCredential, ...] = ()
    subject_name_issuers: Tuple[SubjectNameIssuer, ...] = ()
    roles: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    """Granted app roles by the app id of the resource."""
    multi_tenant: bool = False
    """Whether every tenant knows this app, not its home alone."""
    token_lifetime: Optional[int] = None
    """Seconds; None takes the emulator's."""
    managed_resource_id: str = ""
    """For a managed identity its Azure resource id (`xms_mirid` in tokens); an app registration has none."""
    public: bool = False
    """Whether it runs on its users' devices, and so cannot keep a secret (RFC 6749, section 2.1)."""
    redirect_uris: Tuple[str, ...] = ()
    """Where sign-in pages may send answers."""
    family: str = ""
    """The family of apps that share refresh tokens (`foci` in answers), such as `1`; empty: none."""
    permissions: Optional[Mapping[str, Tuple[str, ...]]] = None
    """Delegated permissions it is configured for, by the app id of the API. None: all that users may consent to."""
    consented: bool = False
    """Whether nobody is asked for consent, as with Microsoft's own apps."""

    def object_id(self, tenant: Tenant) -> str:
        """The id of this app's service principal in `tenant`."""
        return derived_id("service-principal", tenant.id, self.client_id)


@dataclass(frozen=True)
class Resource:
    """An API that tokens are asked for."""

    app_id: str
    identifiers: Tuple[str, ...]
    token_version: int = 1
    """Which access tokens it accepts: 1 or 2 ("accessTokenAcceptedVersion")."""
    display_name: str = ""
    host_suffixes: Tuple[str, ...] = ()
    scopes: Tuple[str, ...] = ("user_impersonation",)
    """Delegated permissions that users may consent to."""
    admin_scopes: Tuple[str, ...] = ()
    """Delegated permissions that need an administrator's consent."""


def default_resources() -> List[Resource]:
    """The APIs every tenant knows."""
    return [
        Resource(
            api.app_id or derived_id("api", api.identifiers[0]),
            api.identifiers,
            display_name=api.name,
            host_suffixes=api.host_suffixes,
            scopes=api.scopes,
            admin_scopes=api.admin_scopes,
        )
        for api in well_known.APIS
    ]


class Directory:
    """Finds tenants, apps and resources. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tenants: Dict[str, Tenant] = {}
        self._apps: Dict[str, App] = {}
        self._resources: Dict[str, Resource] = {}

    def clear(self) -> None:
        """Forget everything but the APIs every tenant knows."""
        with self._lock:
            self._tenants.clear()
            self._apps.clear()
            self._resources.clear()
            for resource in default_resources():
                self.add_resource(resource)

    def add_tenant(self, tenant: Tenant) -> Tenant:
        """:raises ValueError: a tenant of that id or domain exists."""
        with self._lock:
            taken = [name for name in tenant.names if name in self._tenants or name in well_known.PSEUDO_TENANTS]
            if taken:
                raise ValueError(f"tenant: the name {taken[0]!r} is taken")
            for name in tenant.names:
                self._tenants[name] = tenant
            return tenant

    def put_app(self, app: App) -> App:
        """Add `app`, or replace the one of the same client id."""
        with self._lock:
            self._apps[app.client_id.lower()] = app
            return app

    def add_resource(self, resource: Resource) -> Resource:
        """:raises ValueError: one of the identifiers belongs to another resource."""
        with self._lock:
            keys = [identifier_key(name) for name in (resource.app_id, *resource.identifiers)]
            for key in keys:
                if key in self._resources and self._resources[key].app_id != resource.app_id:
                    raise ValueError(f"resource: the identifier {key!r} is taken")
            for key in keys:
                self._resources[key] = resource
            return resource

    def tenants(self) -> List[Tenant]:
        """Every tenant once, in the order they were added."""
        with self._lock:
            return list({tenant.id: tenant for tenant in self._tenants.values()}.values())

    def tenant(self, name: str) -> Optional[Tenant]:
        """The tenant with this id or domain name."""
        if name.lower() == PERSONAL_TENANT.id:
            return PERSONAL_TENANT
        with self._lock:
            return self._tenants.get(name.lower())

    def apps(self) -> List[App]:
        """Every app."""
        with self._lock:
            return list(self._apps.values())

    def app(self, client_id: str) -> Optional[App]:
        """The app with this client id, whatever its tenant."""
        with self._lock:
            return self._apps.get(client_id.lower())

    def app_in(self, tenant: Tenant, client_id: str) -> Optional[App]:
        """The app with this client id, if `tenant` knows it."""
        app = self.app(client_id)
        if app is None or not (app.multi_tenant or app.tenant_id.lower() == tenant.id.lower()):
            return None
        return app

    def resource(self, identifier: str) -> Optional[Resource]:
        """The resource with this app id or identifier URI."""
        key = identifier_key(identifier)
        with self._lock:
            if key in self._resources:
                return self._resources[key]
            host = urlsplit(key).hostname or ""
            for resource in self._resources.values():
                if key.startswith("https://") and host.endswith(resource.host_suffixes or ("\0",)):
                    return resource
            return None


def identifier_key(identifier: str) -> str:
    """How a resource identifier compares: no case, no single trailing slash."""
    return (identifier[:-1] if identifier.endswith("/") else identifier).lower()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
