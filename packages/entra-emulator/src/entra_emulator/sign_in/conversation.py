"""What a person is asked, page by page, until a request is answered.

1. An `Attempt` is one person's way through the pages. It lives on the server; forms name it by a random id, and carry a
   second random text against forged requests. Both count only in the browser that began it, which a cookie tells.
2. After each step, `_next` looks at what is still missing, in a fixed order: an account, a second factor, consent, and
   for device codes a confirmation. Nothing is missing: the attempt ends with an `Answer` or a `Screen` that says so.
3. A browser keeps the accounts that have signed in. How far that saves questions is up to `prompt` (OpenID Connect
   Core, section 3.1.2.1).
"""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple, Union

from ..directory.directory import App, Tenant
from ..directory.users import SignedIn, User
from ..values.errors import EntraError, aadsts
from .authorization import AuthorizationRequest
from .codes import CODE_LIFETIME, AuthorizationCode, DeviceCode, new_secret
from .grant_core import (
    MFA_METHOD,
    PASSWORD_METHOD,
    Parts,
    check_password,
    consent_required,
    mfa_required,
)
from .grants import UserGrants
from .permissions import OFFLINE_ACCESS, OIDC_SCOPES, Wanted
from .user_tokens import client_info

OTP = "123456"
"""A second factor that every emulator accepts."""
ANOTHER_ACCOUNT = "another"
"""What the account picker sends for none of its accounts."""

_ATTEMPT_LIFETIME = 900
_MOST_KEPT = 1000
_LOGGER = logging.getLogger("entra_emulator")


@dataclass
class Browser:
    """The accounts that have signed in in one browser, by home account id."""

    key: str = field(repr=False)
    accounts: Dict[str, SignedIn] = field(default_factory=dict)


@dataclass
class Attempt:
    """One person's way through the pages."""

    key: str = field(repr=False)
    csrf: str = field(repr=False)
    browser: Browser
    begun: int
    otp: str = field(repr=False)
    request: Optional[AuthorizationRequest] = None
    device: Optional[DeviceCode] = None
    app: Optional[App] = None
    signed_in: Optional[SignedIn] = None
    expected: str = ""
    """The user name to fill in."""
    consented: bool = False
    confirmed: bool = False

    @property
    def wanted(self) -> Wanted:
        found = self.request.wanted if self.request is not None else self.device.wanted if self.device else None
        assert found is not None  # one of them is there after the first step
        return found

    @property
    def tenant_name(self) -> str:
        found = self.request.tenant_name if self.request else self.device.tenant_name if self.device else None
        assert found is not None
        return found


@dataclass(frozen=True)
class Screen:
    """A page to show. Its `name` tells which."""

    name: str
    """`user-code`, `accounts`, `password`, `otp`, `consent`, `confirm`, `finished`, `declined`."""
    attempt: Attempt
    alert: str = ""
    """What went wrong with the step before."""
    accounts: Tuple[User, ...] = ()
    permissions: Tuple[str, ...] = ()
    tenant: Optional[Tenant] = None


@dataclass(frozen=True)
class Answer:
    """The end of an authorization request: fields for its redirect URI."""

    request: AuthorizationRequest
    fields: Mapping[str, str] = field(repr=False)


Outcome = Union[Screen, Answer]


class RefusedError(Exception):
    """The end of an authorization request without a code; its cause goes to the redirect URI."""

    def __init__(self, request: AuthorizationRequest, error: EntraError) -> None:
        super().__init__(str(error))
        self.request = request
        self.error = error


class Conversations:
    """The attempts under way, and the browsers they run in. Safe to use from several threads."""

    def __init__(self, parts: Parts, grants: UserGrants) -> None:
        self._parts = parts
        self._grants = grants
        self._lock = threading.Lock()
        self._browsers: OrderedDict[str, Browser] = OrderedDict()
        self._attempts: OrderedDict[str, Attempt] = OrderedDict()

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._browsers.clear()
            self._attempts.clear()

    # ---- browsers ----

    def browser(self, key: str) -> Browser:
        """The browser with this cookie, or a new one."""
        with self._lock:
            found = self._browsers.get(key)
            if found is None:
                found = Browser(secrets.token_urlsafe(32))
                self._browsers[found.key] = found
                if len(self._browsers) > _MOST_KEPT:
                    self._browsers.popitem(last=False)
            return found

    def sign_out(self, browser: Browser) -> List[User]:
        """Forget the browser's accounts. Returns who they were."""
        accounts = [one.user for one in browser.accounts.values()]
        browser.accounts.clear()
        return accounts

    # ---- steps ----

    def begin(self, request: AuthorizationRequest, browser: Browser) -> Outcome:
        """The first answer to an authorization request.

        :raises RefusedError: an end that goes to the redirect URI.
        :raises EntraError: one that is shown.
        """
        attempt = self._new(browser)
        attempt.request, attempt.app, attempt.expected = request, request.reply_to.app, request.login_hint
        if request.prompt not in ("login", "select_account"):
            attempt.signed_in = self._remembered(attempt)
        return self._next(attempt)

    def begin_device(self, browser: Browser, user_code: str = "") -> Screen:
        """The page that asks for a code. :param user_code: to fill in."""
        attempt = self._new(browser)
        attempt.expected = user_code
        return Screen("user-code", attempt)

    def step(self, form: Mapping[str, str], browser: Browser) -> Outcome:
        """What comes after a page was sent.

        :raises RefusedError: an end that goes to the redirect URI.
        :raises EntraError: AADSTS165000, the form is forged or its attempt is over; others are shown too.
        """
        attempt = self._resumed(form, browser)
        decision = form.get("decision", "")
        if attempt.request is None and attempt.device is None:
            return self._enter_user_code(attempt, form.get("user_code", ""))
        if decision in ("deny", "cancel"):
            return self._declined(attempt)
        if "account" in form:
            return self._choose(attempt, form["account"])
        if "username" in form:
            return self._enter_password(attempt, form["username"], form.get("password", ""))
        if "otp" in form and attempt.signed_in is not None:
            return self._enter_otp(attempt, attempt.signed_in, form["otp"])
        if decision == "accept" and attempt.signed_in is not None:
            return self._accepted(attempt, attempt.signed_in)
        return self._next(attempt)

    def _enter_user_code(self, attempt: Attempt, text: str) -> Outcome:
        device = self._parts.codes.device_code_for(text, self._parts.clock.now())
        if device is None:
            attempt.expected = text
            return Screen("user-code", attempt, "That code didn't work. Check the code and try again.")
        attempt.device = device
        attempt.app = self._grants.app(device.tenant_name, device.client_id)
        attempt.expected = ""
        return self._next(attempt)

    def _choose(self, attempt: Attempt, choice: str) -> Outcome:
        chosen = attempt.browser.accounts.get(choice)
        attempt.signed_in = None
        if chosen is None or not self._parts.users.is_valid(chosen):
            attempt.expected = chosen.user.username if chosen is not None else ""
            return Screen("password", attempt)
        attempt.signed_in = chosen
        return self._next(attempt)

    def _enter_password(self, attempt: Attempt, username: str, password: str) -> Outcome:
        attempt.expected = username
        user = self._parts.users.find(username)
        try:
            if user is None:
                raise aadsts(50034, user=username, tenant=attempt.tenant_name)
            check_password(user, password)
        except EntraError as error:
            return Screen("password", attempt, str(error))
        attempt.signed_in = self._grants.signed_in(user, (PASSWORD_METHOD,))
        attempt.browser.accounts[user.home_account_id] = attempt.signed_in
        return self._next(attempt)

    def _enter_otp(self, attempt: Attempt, signed_in: SignedIn, otp: str) -> Outcome:
        given = "".join(otp.split())
        if not any(hmac.compare_digest(given.encode(), good.encode()) for good in (OTP, attempt.otp)):
            return Screen("otp", attempt, "That code didn't work. Check the code and try again.")
        attempt.signed_in = self._grants.signed_in(signed_in.user, (PASSWORD_METHOD, MFA_METHOD))
        attempt.browser.accounts[signed_in.user.home_account_id] = attempt.signed_in
        return self._next(attempt)

    def _accepted(self, attempt: Attempt, signed_in: SignedIn) -> Outcome:
        """The person has accepted the page they saw: consent, or else the confirmation of a device."""
        assert attempt.app is not None
        missing = self._missing(attempt, signed_in)
        if missing or self._asks_again(attempt):
            tenant = self._grants.tenant_for(attempt.tenant_name, signed_in.user, attempt.app)
            for part in attempt.wanted.parts:
                names = self._parts.consents.missing(tenant, attempt.app, part, signed_in.user)
                allowed = [name for name in names if name not in part.resource.admin_scopes]
                self._parts.consents.grant(tenant.id, attempt.app.client_id, part.resource, allowed, signed_in.user)
            attempt.consented = True
        else:
            attempt.confirmed = True
        return self._next(attempt)

    def _declined(self, attempt: Attempt) -> Outcome:
        self._end(attempt)
        if attempt.device is not None:
            attempt.device.declined = True
            return Screen("declined", attempt)
        assert attempt.request is not None
        raise RefusedError(attempt.request, aadsts(65004))

    # ---- what comes next ----

    def _next(self, attempt: Attempt) -> Outcome:
        assert attempt.app is not None
        request = attempt.request
        silent = request is not None and request.prompt == "none"
        signed_in = attempt.signed_in
        if signed_in is None:
            return self._ask_who(attempt, silent)
        tenant = self._grants.tenant_for(attempt.tenant_name, signed_in.user, attempt.app)
        requested = request.requested_claims if request else attempt.device.requested_claims if attempt.device else {}
        for part in attempt.wanted.parts:
            challenge = self._grants.mfa_challenge(attempt.app, part, signed_in, requested)
            if challenge is not None:
                if silent:
                    self._refuse(attempt, mfa_required(part, challenge))
                _LOGGER.info("second factor for %s: %s", signed_in.user.username, attempt.otp)
                return Screen("otp", attempt)
        missing = self._missing(attempt, signed_in)
        if missing or self._asks_again(attempt):
            if silent:
                self._refuse(attempt, consent_required(attempt.app), "consent_required")
            self._check_admin(attempt, tenant, signed_in)
            return Screen("consent", attempt, permissions=self._shown(attempt, signed_in), tenant=tenant)
        if attempt.device is not None:
            if not attempt.confirmed:
                return Screen("confirm", attempt)
            self._end(attempt)
            attempt.device.signed_in = signed_in
            return Screen("finished", attempt)
        self._end(attempt)
        assert request is not None
        return Answer(request, self._code(request, signed_in))

    def _ask_who(self, attempt: Attempt, silent: bool) -> Outcome:
        accounts = tuple(one.user for one in attempt.browser.accounts.values())
        if silent:
            self._refuse(attempt, aadsts(16000 if len(self._candidates(attempt)) > 1 else 50058))
        prompt = attempt.request.prompt if attempt.request is not None else ""
        # Who was named, and has not signed in here, is asked for the password at once.
        if not accounts or prompt == "login" or (attempt.expected and prompt != "select_account"):
            return Screen("password", attempt)
        return Screen("accounts", attempt, accounts=accounts)

    def _remembered(self, attempt: Attempt) -> Optional[SignedIn]:
        """The account that needs no question: the hinted one, else the only one."""
        candidates = self._candidates(attempt)
        return candidates[0] if len(candidates) == 1 else None

    def _candidates(self, attempt: Attempt) -> List[SignedIn]:
        found = []
        for one in attempt.browser.accounts.values():
            if attempt.expected and one.user.username.lower() != attempt.expected.strip().lower():
                continue
            if self._parts.users.is_valid(one) and self._may_enter(attempt, one.user):
                found.append(one)
        return found

    def _may_enter(self, attempt: Attempt, user: User) -> bool:
        assert attempt.app is not None
        try:
            self._grants.tenant_for(attempt.tenant_name, user, attempt.app)
        except EntraError:
            return False
        return True

    def _missing(self, attempt: Attempt, signed_in: SignedIn) -> Tuple[str, ...]:
        """The permissions nobody has consented to yet."""
        assert attempt.app is not None
        tenant = self._grants.tenant_for(attempt.tenant_name, signed_in.user, attempt.app)
        return tuple(
            name
            for part in attempt.wanted.parts
            for name in self._parts.consents.missing(tenant, attempt.app, part, signed_in.user)
        )

    @staticmethod
    def _asks_again(attempt: Attempt) -> bool:
        """Whether the consent page is to be shown although nothing is missing."""
        return attempt.request is not None and attempt.request.prompt == "consent" and not attempt.consented

    def _check_admin(self, attempt: Attempt, tenant: Tenant, signed_in: SignedIn) -> None:
        assert attempt.app is not None
        for part in attempt.wanted.parts:
            for name in self._parts.consents.missing(tenant, attempt.app, part, signed_in.user):
                if name in part.resource.admin_scopes:
                    error = aadsts(
                        90094,
                        tenant=tenant.display_name or tenant.domain,
                        name=attempt.app.display_name or attempt.app.client_id,
                        scope=name,
                    )
                    self._refuse(attempt, error)

    def _shown(self, attempt: Attempt, signed_in: SignedIn) -> Tuple[str, ...]:
        """What the consent page lists."""
        assert attempt.app is not None
        tenant = self._grants.tenant_for(attempt.tenant_name, signed_in.user, attempt.app)
        lines = []
        for part in attempt.wanted.parts:
            missing = self._parts.consents.missing(tenant, attempt.app, part, signed_in.user)
            for name in missing or self._parts.consents.effective(tenant, attempt.app, part, signed_in.user):
                lines.append(f"{part.resource.display_name or part.audience}: {name}")
        if attempt.wanted.oidc & (OIDC_SCOPES - {OFFLINE_ACCESS}):
            lines.append("View your basic profile")
        if OFFLINE_ACCESS in attempt.wanted.oidc:
            lines.append("Maintain access to data you have given it access to")
        return tuple(lines)

    def _code(self, request: AuthorizationRequest, signed_in: SignedIn) -> Dict[str, str]:
        """The fields of a success (RFC 6749, section 4.1.2)."""
        session = str(uuid.uuid4())
        code = AuthorizationCode(
            request.reply_to.app.client_id,
            request.tenant_name,
            request.reply_to.redirect_uri,
            request.wanted,
            signed_in,
            session,
            self._parts.clock.now() + CODE_LIFETIME,
            request.nonce,
            request.challenge,
            request.requested_claims,
        )
        fields = {"code": self._parts.codes.authorization.put(new_secret("1."), code)}
        if request.client_info:
            fields["client_info"] = client_info(signed_in.user)
        if request.reply_to.state:
            fields["state"] = request.reply_to.state
        fields["session_state"] = session
        return fields

    def _refuse(self, attempt: Attempt, error: EntraError, code: str = "") -> None:
        """End the attempt: to the redirect URI, or, for a device, on a page."""
        self._end(attempt)
        if attempt.request is None:
            raise error
        error.error = code or error.error
        raise RefusedError(attempt.request, error)

    # ---- attempts ----

    def _new(self, browser: Browser) -> Attempt:
        attempt = Attempt(
            secrets.token_urlsafe(24),
            secrets.token_urlsafe(24),
            browser,
            self._parts.clock.now(),
            f"{secrets.randbelow(10**6):06}",
        )
        with self._lock:
            self._attempts[attempt.key] = attempt
            if len(self._attempts) > _MOST_KEPT:
                self._attempts.popitem(last=False)
        return attempt

    def _resumed(self, form: Mapping[str, str], browser: Browser) -> Attempt:
        with self._lock:
            attempt = self._attempts.get(form.get("flow", ""))
        if attempt is None or self._parts.clock.now() - attempt.begun > _ATTEMPT_LIFETIME:
            raise aadsts(165000, reason="The sign-in is over. Go back to the program, and begin again.")
        matches = hmac.compare_digest(attempt.csrf.encode(), form.get("csrf", "").encode())
        if attempt.browser is not browser or not matches:
            raise aadsts(165000, reason="The form was not made for this browser. Are cookies allowed?")
        return attempt

    def _end(self, attempt: Attempt) -> None:
        with self._lock:
            self._attempts.pop(attempt.key, None)
