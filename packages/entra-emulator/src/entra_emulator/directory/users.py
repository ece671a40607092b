"""Accounts of people, and what has been revoked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from .directory import PERSONAL_TENANT, derived_id


@dataclass(frozen=True)
class User:
    """An account of a person. Made by `EntraEmulator.add_user`."""

    username: str
    """The name to sign in with, such as `ada@emulator.onmicrosoft.com`."""
    password: str = field(repr=False)
    object_id: str
    """The id in the home tenant."""
    tenant_id: str
    """The home tenant."""
    display_name: str
    guest_of: Tuple[str, ...] = ()
    """Ids of other tenants that have invited this person."""
    mfa: bool = False
    """Whether every sign-in needs a second factor."""
    federated: bool = False
    """Whether another identity provider checks the password."""

    @property
    def home_account_id(self) -> str:
        """What identifies the account everywhere: object id and tenant id of its home, with a dot between."""
        return f"{self.object_id}.{self.tenant_id}"

    @property
    def personal(self) -> bool:
        """Whether it is a Microsoft account, not one of an organization."""
        return self.tenant_id == PERSONAL_TENANT.id

    def belongs_to(self, tenant_id: str) -> bool:
        """Whether the tenant knows this person, as a member or as a guest."""
        return tenant_id == self.tenant_id or tenant_id in self.guest_of

    def object_id_in(self, tenant_id: str) -> str:
        """The id in that tenant: guests get one of their own there."""
        return self.object_id if tenant_id == self.tenant_id else derived_id("guest", tenant_id, self.home_account_id)


@dataclass(frozen=True)
class SignedIn:
    """A person who has proved who they are."""

    user: User
    methods: Tuple[str, ...]
    """How, as `amr` has it (RFC 8176): `pwd`, `mfa`."""
    generation: int
    """Of the account's grants at that time; `Users.revoke` begins a new one."""
    at: int
    """Epoch seconds."""


class Users:
    """Finds accounts. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: Dict[str, User] = {}
        self._generations: Dict[str, int] = {}
        self._valid_from: Dict[str, int] = {}

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._by_name.clear()
            self._generations.clear()
            self._valid_from.clear()

    def add(self, user: User) -> User:
        """:raises ValueError: the name is taken."""
        with self._lock:
            if user.username.lower() in self._by_name:
                raise ValueError(f"username: {user.username!r} is taken")
            self._by_name[user.username.lower()] = user
            return user

    def find(self, username: str) -> Optional[User]:
        """The account of this name, in any case."""
        with self._lock:
            return self._by_name.get(username.strip().lower())

    def all(self) -> List[User]:
        """Every account, in the order they were added."""
        with self._lock:
            return list(self._by_name.values())

    def by_id(self, home_account_id: str) -> Optional[User]:
        """The account of this home account id."""
        with self._lock:
            return next((one for one in self._by_name.values() if one.home_account_id == home_account_id), None)

    def revoke(self, user: User, now: int) -> None:
        """End what was granted so far. :param now: epoch seconds."""
        with self._lock:
            self._generations[user.home_account_id] = self._generations.get(user.home_account_id, 0) + 1
            self._valid_from[user.home_account_id] = now

    def generation(self, user: User) -> int:
        """Which generation of grants is valid."""
        with self._lock:
            return self._generations.get(user.home_account_id, 0)

    def valid_from(self, user: User) -> int:
        """Since when grants are valid, in epoch seconds; 0 if none was ever revoked."""
        with self._lock:
            return self._valid_from.get(user.home_account_id, 0)

    def is_valid(self, signed_in: SignedIn) -> bool:
        """Whether that sign-in still counts: the account exists and nothing has been revoked since."""
        return (
            self.by_id(signed_in.user.home_account_id) is not None
            and self.generation(signed_in.user) == signed_in.generation
        )
