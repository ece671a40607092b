"""Managed identities, and how a host finds the one that a request means."""

from __future__ import annotations

import threading
from typing import List, Optional, Sequence

from ..directory.directory import TOKEN_EXCHANGE_AUDIENCE, App, FederatedCredential, Tenant
from ..directory.registrations import RegisteredApp
from ..endpoints.resource_manager import subscription_id

A_DAY = 24 * 3600
"""Seconds. Tokens of managed identities live about a day ("Managed identities: frequently asked questions")."""

_GROUP = "/subscriptions/{}/resourcegroups/entra-emulator/providers"


class ManagedIdentity:
    """A managed identity. Made by `EntraEmulator.add_managed_identity`."""

    def __init__(self, registered: RegisteredApp) -> None:
        self._registered = registered
        self.client_id = registered.client_id
        """The application id, a GUID."""

    @property
    def principal(self) -> App:
        """What the directory holds. :raises LookupError: the directory was reset."""
        return self._registered.registration

    @property
    def name(self) -> str:
        """The name in the directory."""
        return self.principal.display_name

    @property
    def object_id(self) -> str:
        """The id of the service principal: `oid` in tokens."""
        return self._registered.object_id

    @property
    def resource_id(self) -> str:
        """The Azure resource id: of the identity if it is user-assigned, else of the resource that it belongs to."""
        return self.principal.managed_resource_id

    @property
    def tenant_id(self) -> str:
        """The id of its tenant."""
        return self.principal.tenant_id

    @property
    def is_user_assigned(self) -> bool:
        """Whether it is a resource of its own."""
        return "/userassignedidentities/" in self.resource_id.lower()

    def grant(self, resource: str, *roles: str) -> None:
        """Grant app roles on `resource` (an app id or identifier URI).

        :raises LookupError: the resource is unknown.
        """
        self._registered.grant(resource, *roles)

    def add_federated_credential(
        self, issuer: str, subject: str, audience: str = TOKEN_EXCHANGE_AUDIENCE
    ) -> FederatedCredential:
        """Trust tokens of `issuer` for `subject`. All three are compared exactly."""
        return self._registered.add_federated_credential(issuer, subject, audience)

    def __repr__(self) -> str:
        return f"ManagedIdentity(client_id={self.client_id!r})"


def user_assigned_resource_id(tenant: Tenant, name: str) -> str:
    """The Azure resource id of a user-assigned identity."""
    group = _GROUP.format(subscription_id(tenant))
    return f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"


def machine_resource_id(tenant: Tenant, name: str) -> str:
    """The Azure resource id of a virtual machine."""
    return f"{_GROUP.format(subscription_id(tenant))}/Microsoft.Compute/virtualMachines/{name}"


class Assigned:
    """The identities a host has. Tests may change them while it runs.

    :param system: the system-assigned one, or None.
    :param user: the user-assigned ones.
    """

    def __init__(self, system: Optional[ManagedIdentity], user: Sequence[ManagedIdentity]) -> None:
        self._lock = threading.Lock()
        self._user: List[ManagedIdentity] = list(user)
        self.system = system

    @property
    def user(self) -> Sequence[ManagedIdentity]:
        """The user-assigned ones."""
        with self._lock:
            return tuple(self._user)

    @property
    def all(self) -> Sequence[ManagedIdentity]:
        """All, the system-assigned one first."""
        return self.user if self.system is None else (self.system, *self.user)

    def add(self, identity: ManagedIdentity) -> None:
        """Assign one more."""
        with self._lock:
            if identity not in self._user:
                self._user.append(identity)

    def remove(self, identity: ManagedIdentity) -> None:
        """Take one away. :raises ValueError: the host does not have it."""
        with self._lock:
            if identity not in self._user:
                raise ValueError(f"identity: {identity!r} is not assigned to this host")
            self._user.remove(identity)

    def find(self, kind: str, value: str) -> Optional[ManagedIdentity]:
        """The one whose id is `value`, in any case, or None.

        :param kind: which id: `client_id`, `object_id` or `resource_id`. The last is for user-assigned ones alone.
        """
        candidates = self.user if kind == "resource_id" else self.all
        return next((one for one in candidates if str(getattr(one, kind)).lower() == value.lower()), None)
