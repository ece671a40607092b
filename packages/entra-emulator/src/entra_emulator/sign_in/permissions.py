"""Delegated permissions: which scopes mean what, and who has consented to them.

"Scopes and permissions in the Microsoft identity platform".
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Callable, Dict, FrozenSet, List, Optional, Sequence, Set, Tuple

from ..directory.directory import App, Resource, Tenant
from ..directory.users import User
from ..values import well_known
from ..values.errors import aadsts

OPENID = "openid"
PROFILE = "profile"
EMAIL = "email"
OFFLINE_ACCESS = "offline_access"
OIDC_SCOPES = frozenset({OPENID, PROFILE, EMAIL, OFFLINE_ACCESS})
"""Scopes that belong to the sign-in itself (OpenID Connect Core, sections 5.4 and 11)."""
DEFAULT = ".default"

FindResource = Callable[[str], Resource]


@dataclass(frozen=True)
class Part:
    """What is asked of one API."""

    resource: Resource
    audience: str
    """The API as the client has named it."""
    names: Tuple[str, ...] = ()
    default: bool = False
    """Whether `.default` was asked for: everything that is consented to."""
    bare: bool = False
    """Whether the API was not named at all, which means Microsoft Graph."""


@dataclass(frozen=True)
class Wanted:
    """A scope parameter, understood."""

    text: str
    oidc: FrozenSet[str]
    parts: Tuple[Part, ...]

    def single(self) -> Part:
        """The one API a token is for. :raises EntraError: AADSTS700022, there are several."""
        if len(self.parts) > 1:
            raise aadsts(700022)
        return self.first

    @property
    def first(self) -> Part:
        """The API named first. There always is one."""
        return next(iter(self.parts))


def parse_scope(text: str, find: FindResource, client_id: str, *, strict: bool = True) -> Wanted:
    """Understand a scope parameter.

    :param find: the API of an identifier; raises EntraError for unknown ones.
    :keyword strict: refuse permissions that the API does not have.
    :raises EntraError: AADSTS900144, 70011, 650053, or what `find` raises.
    """
    scopes = text.split()
    if not scopes:
        raise aadsts(900144, name="scope")
    oidc = frozenset(one for one in scopes if one in OIDC_SCOPES)
    found: Dict[str, List[str]] = {}
    bare = False
    for scope in scopes:
        if scope not in OIDC_SCOPES:
            audience, name = _split(scope)
            bare = bare or not audience
            names = found.setdefault(audience or well_known.GRAPH, [])
            if name not in names:
                names.append(name)
    if any(DEFAULT in names for names in found.values()) and sum(map(len, found.values())) > 1:
        raise aadsts(70011, reason=f"'{DEFAULT}' cannot be combined with other scopes, as in '{text}'.")
    parts: List[Part] = []
    for audience, names in found.items():
        resource = find(audience)
        for name in names if strict else ():
            if name != DEFAULT and name not in (*resource.scopes, *resource.admin_scopes):
                raise aadsts(650053, client_id=client_id, scope=name, resource=audience)
        permissions = tuple(one for one in names if one != DEFAULT)
        parts.append(Part(resource, audience, permissions, DEFAULT in names, bare and audience == well_known.GRAPH))
    return Wanted(text, oidc, tuple(parts) or (Part(find(well_known.GRAPH), well_known.GRAPH, bare=True),))


def whole_resource(identifier: str, find: FindResource) -> Wanted:
    """What the v1 endpoint's `resource` parameter asks for: everything consented, with refresh and id token."""
    part = Part(find(identifier), identifier, default=True)
    return Wanted(f"{identifier}/{DEFAULT}", frozenset({OPENID, PROFILE, OFFLINE_ACCESS}), (part,))


def scope_member(part: Part, granted: Sequence[str], oidc: FrozenSet[str]) -> str:
    """The `scope` of an answer: the permissions with their API's name in front."""
    prefix = "" if part.bare else f"{part.audience}/"
    names = [f"{prefix}{name}" for name in granted if name not in OIDC_SCOPES]
    if part.default:
        names.append(f"{prefix}{DEFAULT}")
    return " ".join([*names, *_graph_names(part, oidc)])


def scp(part: Part, granted: Sequence[str], oidc: FrozenSet[str]) -> Tuple[str, ...]:
    """The permissions in the `scp` claim of the access token. Graph's have those of the sign-in too."""
    return (*granted, *_graph_names(part, oidc))


def _graph_names(part: Part, oidc: FrozenSet[str]) -> List[str]:
    is_graph = well_known.GRAPH in part.resource.identifiers
    return sorted(oidc - {OFFLINE_ACCESS}) if is_graph else []


def _split(scope: str) -> Tuple[str, str]:
    """API and permission. Everything up to the last slash is the API: `https://x//.default` means `https://x/`."""
    audience, slash, name = scope.rpartition("/")
    if slash and (not audience or not name or audience.endswith(":/")):
        raise aadsts(70011, reason=f"'{scope}' names an API but no permission; expected '{scope}/{DEFAULT}' or so.")
    return audience, name


class Consents:
    """Who has consented to what. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._granted: Dict[Tuple[str, str, str, str], Set[str]] = {}

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._granted.clear()

    def grant(
        self, tenant_id: str, client_id: str, resource: Resource, names: Sequence[str], user: Optional[User] = None
    ) -> None:
        """Record a consent: a user's, or (None) an administrator's for the whole tenant."""
        key = (tenant_id, client_id.lower(), resource.app_id, user.home_account_id if user else "")
        with self._lock:
            self._granted.setdefault(key, set()).update(names)

    def revoke(self, client_id: str, user: Optional[User] = None) -> None:
        """Forget what a user, or (None) everybody, has consented to for an app."""
        with self._lock:
            for key in list(self._granted):
                if key[1] == client_id.lower() and (user is None or key[3] == user.home_account_id):
                    del self._granted[key]

    def granted(self, tenant: Tenant, app: App, resource: Resource, user: User) -> FrozenSet[str]:
        """The permissions consented to, by the user or for everybody."""
        if app.consented:
            return frozenset(resource.scopes)
        with self._lock:
            found = [
                self._granted.get((tenant.id, app.client_id.lower(), resource.app_id, who), set())
                for who in (user.home_account_id, "")
            ]
        return frozenset().union(*found)

    def missing(self, tenant: Tenant, app: App, part: Part, user: User) -> Tuple[str, ...]:
        """The permissions that somebody has to consent to before a token can be issued.

        :raises EntraError: AADSTS650057, the app is not configured for that API at all.
        """
        granted = self.granted(tenant, app, part.resource, user)
        if not part.default and app.consented:
            return tuple(name for name in part.names if name in part.resource.admin_scopes)
        if not part.default:
            return tuple(name for name in part.names if name not in granted)
        if granted:
            return ()
        asked = configured(app, part.resource)
        if not asked:
            raise aadsts(650057, client_id=app.client_id, resource=part.audience)
        return asked

    def effective(self, tenant: Tenant, app: App, part: Part, user: User) -> Tuple[str, ...]:
        """The permissions in a token: everything consented to, when nothing is missing.

        Apps that nobody is asked about get what they ask for, since everything is consented to.
        """
        granted = self.granted(tenant, app, part.resource, user)
        if app.consented and not part.default:
            return part.names
        known = dict.fromkeys((*part.resource.scopes, *part.resource.admin_scopes, *part.names))
        return tuple(name for name in known if name in granted)


def configured(app: App, resource: Resource) -> Tuple[str, ...]:
    """The permissions an app's registration lists for an API."""
    return resource.scopes if app.permissions is None else app.permissions.get(resource.app_id, ())
