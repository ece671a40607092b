"""The part of `EntraEmulator` that is about people."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Union

from ..directory.directory import PERSONAL_TENANT, Resource, Tenant, derived_id
from ..directory.registrations import RegisteredApp
from ..directory.users import User
from ..sign_in.conversation import OTP
from .browser import TIMEOUT, Browser, Page, SignInResult

if TYPE_CHECKING:
    from ..endpoints.realm import Realm

USER_NAME = "user@emulator.onmicrosoft.com"
"""The default user."""
USER_PASSWORD = "entra-emulator-default-password"
"""The default user's password. It opens nothing but emulators."""

_OWN_CLAIMS = frozenset(
    {
        *("aud", "iss", "iat", "exp", "sub", "oid", "tid", "scp", "roles", "appid", "azp", "appidacr", "azpacr", "amr"),
        *("idp", "idtyp", "name", "preferred_username", "upn", "unique_name", "uti", "ver", "wids", "groups"),
    }
)

AppOrResource = Union[str, RegisteredApp, Resource]
"""An app, an API, or a client id, app id or identifier URI."""


class People:
    """Users, their sign-ins, and what is asked of them. A part of `EntraEmulator`."""

    _realm: Realm
    ca_file: str
    tenant: Tenant

    @property
    def authority(self) -> str:
        """The authority."""
        raise NotImplementedError

    @property
    def user(self) -> User:
        """The default user: `username`, `password`, `object_id`, `home_account_id`."""
        found = self._realm.people.users.find(USER_NAME)
        assert found is not None  # seeded with the directory
        return found

    def add_user(
        self,
        username: str,
        password: str,
        *,
        tenant: Optional[Tenant] = None,
        guest_of: Union[Tenant, Sequence[Tenant]] = (),
        mfa: bool = False,
        federated: bool = False,
        personal: bool = False,
        display_name: str = "",
    ) -> User:
        """Add a person's account.

        :param username: such as `ada@emulator.onmicrosoft.com`. Without a domain, it is in the tenant's.
        :param password: at least one character.
        :keyword tenant: the home. Default: the default tenant.
        :keyword guest_of: other tenants that have invited this person.
        :keyword mfa: whether every sign-in needs a second factor.
        :keyword federated: whether another identity provider checks the password. The emulator's pages stand for that
            as well; the password grant refuses it.
        :keyword personal: a Microsoft account, which belongs to no organization. It has no `tenant`.
        :keyword display_name: default: the name before the `@`.
        :raises ValueError: the name is taken or empty, or the password is empty.
        """
        if personal and tenant is not None:
            raise ValueError("tenant: expected none for a personal account")
        home = PERSONAL_TENANT if personal else tenant or self.tenant
        name = username.strip()
        if not name or any(character.isspace() for character in name) or name.startswith("@") or name.endswith("@"):
            raise ValueError(f"username: expected a name such as ada@{home.domain}, got {username!r}")
        if not password:
            raise ValueError("password: expected at least one character")
        name = name if "@" in name else f"{name}@{home.domain}"
        object_id = derived_id("user", home.id, name)
        if personal:
            # Object ids of Microsoft accounts have 64 bits only.
            object_id = f"00000000-0000-0000-{object_id[19:]}"
        guests = (guest_of,) if isinstance(guest_of, Tenant) else tuple(guest_of)
        return self._realm.people.users.add(
            User(
                name,
                password,
                object_id,
                home.id,
                display_name or name.partition("@")[0],
                tuple(one.id for one in guests),
                mfa,
                federated,
            )
        )

    # ---- sign-ins ----

    def browser(self, user: Optional[User] = None) -> Browser:
        """A browser window that keeps its cookies, for `sign_in`, `enter_device_code` and `open`.

        :param user: who sits in front of it. Default: the default user.
        """
        tls = ssl.create_default_context(cafile=self.ca_file)
        realm = self._realm
        return Browser(user or self.user, tls, realm.addresses.include, self._port_of)

    def sign_in(
        self,
        url: str,
        user: Optional[User] = None,
        *,
        password: Optional[str] = None,
        otp: str = OTP,
        deny: bool = False,
        deliver: bool = True,
        timeout: float = TIMEOUT,
    ) -> SignInResult:
        """Sign in at a program's authorization URL, in a fresh private window, and bring the answer to the program.

        Blocks until the program has answered: call it on another thread than the one that waits for the redirect.

        :param url: the authorization URL.
        :param user: who signs in. Default: the default user.
        :keyword password: what they type. Default: the right one.
        :keyword otp: the second factor they type, when asked.
        :keyword deny: cancel on the first page.
        :keyword deliver: False keeps the answer: see `fields` of the result. It is never sent to other machines.
        :keyword timeout: seconds for each request.
        :raises SignInError: it ended on a page, not with a redirect.
        :raises OSError: the program cannot be reached.
        """
        return self.browser(user).sign_in(url, password=password, otp=otp, deny=deny, deliver=deliver, timeout=timeout)

    def enter_device_code(
        self,
        user_code: str,
        user: Optional[User] = None,
        *,
        password: Optional[str] = None,
        otp: str = OTP,
        deny: bool = False,
        timeout: float = TIMEOUT,
    ) -> Page:
        """Enter a program's device code, in a fresh private window, and sign in there.

        :param user_code: the code, as the program shows it.
        :param user: who signs in. Default: the default user.
        :keyword password: what they type. Default: the right one.
        :keyword otp: the second factor they type, when asked.
        :keyword deny: cancel.
        :keyword timeout: seconds for each request.
        :return: the last page.
        :raises SignInError: it did not come to an end, such as with a wrong code.
        """
        return self.browser(user).enter_device_code(
            user_code,
            url=f"{self.authority}/devicelogin",
            password=password,
            otp=otp,
            deny=deny,
            timeout=timeout,
        )

    # ---- consent ----

    def grant_consent(
        self, app: AppOrResource, resource: AppOrResource, *scopes: str, user: Optional[User] = None
    ) -> None:
        """Consent to delegated permissions of `app` on `resource`.

        :param scopes: such as `user_impersonation`. Default: all that the API has.
        :keyword user: who consents. Default: an administrator, for every user of every tenant.
        :raises LookupError: the app or the API is unknown.
        :raises ValueError: the API has no such permission.
        """
        api = self._resource_of(resource)
        known = (*api.scopes, *api.admin_scopes)
        for scope in scopes:
            if scope not in known:
                raise ValueError(f"scopes: {scope!r} is not one of {', '.join(known)}")
        client_id = self._app_id_of(app)
        everywhere = (*self._realm.directory.tenants(), PERSONAL_TENANT)
        tenants = everywhere if user is None else self._tenants_of(user)
        for tenant in tenants:
            self._realm.people.consents.grant(tenant.id, client_id, api, scopes or known, user)

    def revoke_consent(self, app: AppOrResource, user: Optional[User] = None) -> None:
        """Take back what a user, or everybody (None), has consented to for `app`."""
        self._realm.people.consents.revoke(self._app_id_of(app), user)

    # ---- Conditional Access ----

    def require_mfa(self, app_or_resource: AppOrResource) -> None:
        """Ask for a second factor, for a client app or for an API.

        Pages ask for it. Grants without a person refuse with `interaction_required` (AADSTS50076) and `claims`.

        :raises LookupError: it is unknown.
        """
        self._realm.policies.require_mfa(self._app_id_of(app_or_resource))

    def require_claims(self, resource: AppOrResource, claims: Mapping[str, Any]) -> None:
        """Let an API answer 401 with a claims challenge until it gets a token that was requested with `claims`.

        :param claims: such as `{"access_token": {"acrs": {"essential": True, "value": "c1"}}}`.
        :raises LookupError: the API is unknown.
        :raises ValueError: `claims` has no object `access_token`, or names a claim that tokens have anyway.
        """
        members = claims.get("access_token")
        if not isinstance(members, dict) or not members:
            raise ValueError("claims: expected an object with a non-empty object 'access_token'")
        taken = sorted(set(members) & _OWN_CLAIMS)
        if taken:
            raise ValueError(f"claims: {taken[0]!r} is not for clients to ask for")
        self._realm.policies.require_claims(self._resource_of(resource).app_id, members)

    def revoke(self, who: Union[User, RegisteredApp]) -> None:
        """Revoke what a user or an app was granted, as after a password change.

        Refresh tokens and sessions of the user are refused from now on (AADSTS50173). Access tokens of clients that can
        handle claims challenges (CP1) are refused by the APIs here, with such a challenge; other access tokens live to
        their end.
        """
        now = self._realm.clock.now()
        if isinstance(who, User):
            self._realm.people.users.revoke(who, now)
            self._realm.issuer.ledger.revoke(who.home_account_id, now)
        else:
            self._realm.issuer.ledger.revoke(who.client_id, now)

    # ---- inside ----

    def _port_of(self, scheme: str) -> int:
        """The port that serves `scheme`."""
        raise NotImplementedError

    def _tenants_of(self, user: User) -> Sequence[Tenant]:
        home = self._realm.directory.tenant(user.tenant_id)
        found = [self._realm.directory.tenant(one) for one in user.guest_of]
        return [one for one in (home, *found) if one is not None]

    def _resource_of(self, resource: AppOrResource) -> Resource:
        if isinstance(resource, Resource):
            return resource
        name = resource.client_id if isinstance(resource, RegisteredApp) else resource
        found = self._realm.directory.resource(name)
        if found is None:
            raise LookupError(f"the resource {name} is not registered")
        return found

    def _app_id_of(self, app: AppOrResource) -> str:
        if isinstance(app, RegisteredApp):
            return app.client_id
        if isinstance(app, Resource):
            return app.app_id
        if self._realm.directory.app(app) is not None:
            return app
        return self._resource_of(app).app_id
