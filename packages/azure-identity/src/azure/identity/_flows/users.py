"""What credentials of people have in common: silent first, then ask.

In order: a cached access token of the account; else a refresh token, redeemed by one POST; else the person is asked, in
the way the credential is made for, unless the program said not to (`disable_automatic_authentication`).

1. A person is asked one thing at a time. Whoever needs a sign-in while one is under way waits for its end, and then
   tries the new refresh token first.
2. What a person did not finish or declined is the answer for all who waited: nobody is asked again at once.
3. The account is who signed in last. Tokens of another one are not handed out any more, also not when a renewal that
   began before comes back after.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Hashable, Iterable, Mapping, Optional

from .._cache.refresh_tokens import RefreshTokens
from .._errors.help import help_link
from .._protocols.scopes import combined_claims
from .._values import settings
from .._values.messages import ALONE, RefreshToken, Token, TokenRequest
from .entra import EntraFlow
from .flow import uncached

if TYPE_CHECKING:
    from .._cache.memory import Entry, TokenKey
    from .._errors.errors import AuthenticationFailedError, AuthenticationRequiredError
    from .._outside.port import FlowIO
    from .._protocols.entra import Granted
    from .._values.record import AuthenticationRecord

_LOGGER = logging.getLogger(__name__)

DEFAULT_TENANT = "organizations"
"""Any work or school account ("Microsoft identity platform endpoints")."""

_PERSON = "the person"
"""The flight in which a person is asked: of a credential's callers one at a time."""

_A_PERSON_CAN_HELP = ("invalid_grant", "interaction_required", "consent_required", "login_required")
"""Errors after which signing in again may bring what a refresh token could not. All others are troubles of the request,
the application or the service ("Microsoft identity platform and OAuth 2.0 authorization code flow", error codes for
token endpoint errors)."""

_DEAD = ("bad_token", "token_expired")
"""Suberrors after which a refresh token never works again. Others (basic_action, additional_action, message_only,
consent_required, user_password_expired, protection_policy_required, device_authentication_failed) want something of the
person or the device, and the token works again afterwards."""
_NOT_IN_FAMILY = "client_mismatch"
"""The refresh token belongs to a family this client is no member of. It is good for the members."""

# What `authenticate` asks for when no scopes are given: access to the cloud's resource manager.
_MANAGEMENT_SCOPES = {
    "login.microsoftonline.com": "https://management.core.windows.net//.default",
    "login.microsoftonline.us": "https://management.core.usgovcloudapi.net//.default",
    "login.partner.microsoftonline.cn": "https://management.core.chinacloudapi.cn//.default",
}


class AccountToken(Token):
    """A token that knows whose it is: another account may have signed in since it was asked for."""

    home_account_id: str = ""


class UserFlow(EntraFlow):
    """A flow for a signed-in person."""

    _transient = (*EntraFlow._transient, "_refresh_tokens_")
    _refresh_tokens_: Optional[RefreshTokens] = None
    _record: Optional[AuthenticationRecord] = None
    _automatic = True
    _switches = 0
    """How often another account has signed in than the one before."""
    _needs_account = True
    """Whether an answer that does not say whose token it is is an error."""

    def __init__(
        self,
        tenant_id: Optional[str],
        client_id: str,
        options: Mapping[str, Any],
        parameters: tuple[str, ...] = (),
        *,
        record: Optional[AuthenticationRecord] = None,
        automatic: bool = True,
    ) -> None:
        given = dict(options)
        if record is not None:
            # The account signed in to this application of this cloud; tokens of another would not be its own.
            client_id = record.client_id
            given["authority"] = record.authority
            tenant_id = tenant_id or record.tenant_id
        super().__init__(tenant_id or DEFAULT_TENANT, client_id, given, parameters)
        self._record = record
        self._automatic = automatic

    @property
    def _refresh_tokens(self) -> RefreshTokens:
        tokens = self._refresh_tokens_
        if tokens is None:
            tokens = self.__dict__.setdefault("_refresh_tokens_", RefreshTokens())
        return tokens

    def _subject(self, ask: TokenRequest) -> str:
        return self._record.home_account_id if self._record is not None else ""

    def _flight(self, ask: TokenRequest, key: Optional[TokenKey]) -> Hashable:
        # Whoever asked before the first account was known, and after, asks for the same.
        return super()._flight(ask, key and key._replace(subject=f"account {self._switches}"))

    def _keep(self, key: TokenKey, token: Token, now: int) -> Entry:
        # The account may have been unknown, or another one, when the key was made.
        owner = token.home_account_id if isinstance(token, AccountToken) else key.subject
        entry = super()._keep(key._replace(subject=owner), token, now)
        if self._record is not None and self._record.home_account_id != owner:
            # Somebody else has signed in meanwhile. (`_switch_to` looks after the cache: one of the two sees it.)
            entry.fresh_until = 0
            return uncached(token)
        return entry

    # --- silent first, then ask

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        while True:
            # Somebody may have signed in while this request waited: their token is under a key that was not known then.
            fresh = self._just_kept(io, ask)
            if fresh is not None:
                return fresh
            record = self._record
            refused: Optional[AuthenticationFailedError] = None
            if record is not None:
                try:
                    token = await self._renew(io, ask, record)
                except _Refused as error:
                    refused = error.reason()
                else:
                    if token is not None:
                        return _owned(token, record.home_account_id)
            if not self._automatic or not ask.patient:
                raise self._required(ask, refused) from refused
            async with io.single_flight(_PERSON) as flight:
                if not flight.shared:
                    flight.result = _essence(ask)
                    return await self._sign_in(io, self._stepped_up(ask, refused))

    def _just_kept(self, io: FlowIO, ask: TokenRequest) -> Optional[Token]:
        key = self._key(ask)
        entry = self._cache.get(key) if key is not None and not ask.claims else None
        return entry.token if entry is not None and io.now() < entry.fresh_until else None

    def _required(self, ask: TokenRequest, refused: Optional[AuthenticationFailedError]) -> AuthenticationRequiredError:
        """Nothing more can be had without the person."""
        from .._errors.errors import AuthenticationRequiredError

        why = f" The account's refresh token was refused: {refused}" if refused is not None else ""
        message = (
            f"{self._who}: Interactive authentication is required to get a token. Call 'authenticate' to begin.{why} "
            f"{help_link('sign-in')}"
        )
        claims = self._stepped_up(ask, refused).claims
        return AuthenticationRequiredError(ask.scopes, message, claims, response=getattr(refused, "response", None))

    def _stepped_up(self, ask: TokenRequest, refused: Optional[AuthenticationFailedError]) -> TokenRequest:
        """The request, with what the refusal wants of the sign-in besides."""
        return ask._replace(claims=combined_claims(ask.claims, refused.claims if refused is not None else None))

    async def _sign_in(self, io: FlowIO, ask: TokenRequest) -> Token:
        """Ask the person, and remember who it was."""
        try:
            return self._signed_in(await self._ask_person(io, ask), ask)
        except Exception as error:
            _conclude(error)
            raise

    async def _ask_person(self, io: FlowIO, ask: TokenRequest) -> Granted:
        """Let the person sign in, in the way this credential is made for."""
        raise NotImplementedError

    def _proof(self) -> dict[str, str]:
        """How the application proves who it is. Public applications cannot."""
        return {}

    async def _renew(self, io: FlowIO, ask: TokenRequest, record: AuthenticationRecord) -> Optional[Token]:
        """A token by the account's refresh tokens; None if there are none.

        Raises _Refused, with the refusal as its cause, when the person has to sign in again.
        """
        from .._errors.errors import AuthenticationFailedError
        from .._protocols.users import anchor, refresh_form, refresh_token_of, user_scopes

        cloud, home = self._authority.cloud, record.home_account_id
        last: Optional[AuthenticationFailedError] = None
        for candidate in self._refresh_tokens.candidates(cloud, home, self._client_id):
            form = refresh_form(self._client_id, user_scopes(ask.scopes), candidate.secret, self._proof())
            try:
                granted = await self._exchange(io, ask, form, anchor(home_account_id=home))
            except AuthenticationFailedError as error:
                if error.error_code not in _A_PERSON_CAN_HELP:
                    raise
                self._note_refusal(error, cloud, home, candidate)
                last = error
            else:
                renewed = refresh_token_of(granted.body, self._client_id)
                if renewed is not None:
                    self._refresh_tokens.put(cloud, home, renewed)
                return granted.token
        if last is not None:
            raise _Refused from last
        return None

    def _note_refusal(self, error: AuthenticationFailedError, cloud: str, home: str, candidate: RefreshToken) -> None:
        """Do not send again what will be refused again."""
        if error.suberror == _NOT_IN_FAMILY and candidate.client_id != self._client_id:
            self._refresh_tokens.leave_family(self._client_id)
        elif error.suberror in (*_DEAD, _NOT_IN_FAMILY) or (
            error.error_code == "invalid_grant" and error.suberror is None
        ):
            self._refresh_tokens.drop(cloud, home, candidate.secret)

    # --- whose tokens these are

    def _signed_in(self, granted: Granted, ask: TokenRequest) -> Token:
        """Remember the account that has just signed in."""
        from .._protocols.users import parse_account, refresh_token_of

        record = parse_account(granted.body, self._client_id, self._authority, self._tenant_for(ask))
        if record is None:
            if self._needs_account:
                raise self._failed(
                    f"{self._who}: the answer does not say whose token it is (neither client_info nor an id token). "
                    f"{help_link('unusable-answer')}"
                )
            return granted.token
        token = refresh_token_of(granted.body, self._client_id)
        if token is not None:
            self._refresh_tokens.put(self._authority.cloud, record.home_account_id, token)
        self._switch_to(record)
        return _owned(granted.token, record.home_account_id)

    def _switch_to(self, record: AuthenticationRecord) -> None:
        before, self._record = self._record, record
        if before is not None and before.home_account_id != record.home_account_id:
            self._switches += 1
            self._cache.forget_others(record.home_account_id)

    # --- authenticate

    def _asked_to_sign_in(
        self,
        scopes: Optional[Iterable[str]],
        claims: Optional[str],
        tenant_id: Optional[str],
        enable_cae: bool,
        extra: Mapping[str, Any],
    ) -> TokenRequest:
        """The request behind `authenticate`."""
        settings.check_unknown("authenticate", extra, ("scopes", "claims", "tenant_id", "enable_cae"))
        if scopes is None:
            default = _MANAGEMENT_SCOPES.get(self._authority.cloud)
            if default is None:
                raise self._unavailable(
                    f"{self._who}: authenticate() needs 'scopes' here: no default scopes are known for the authority "
                    f"{self._authority.url}."
                )
            scopes = (default,)
        elif isinstance(scopes, str):
            raise TypeError(
                "authenticate() takes scopes as a list of strings, such as ['https://vault.azure.net/.default']."
            )
        ask = TokenRequest(
            tuple(scopes), tenant_id or None, claims or None, bool(enable_cae), method="authenticate", extra=extra
        )
        self._check(ask)
        return ask

    async def _authenticate(self, io: FlowIO, ask: TokenRequest) -> AuthenticationRecord:
        """Have the person sign in, whatever is cached."""
        while True:
            asking = False
            try:
                async with io.single_flight(_PERSON) as flight:
                    if not flight.shared:
                        asking, flight.result, now = True, _essence(ask), io.now()
                        token, key = await self._sign_in(io, ask), self._key(ask)
                        if key is not None:
                            self._keep(key, token, now)
                        assert self._record is not None
                        return self._record
            except Exception:
                if asking:
                    raise
                continue  # it was somebody else's sign-in that failed
            if flight.result == _essence(ask) and self._record is not None:
                return self._record  # the same was being asked just then


def seconds_to_wait(timeout: float) -> float:
    """How long to wait for a person.

    :raises ValueError: `timeout` is not a positive number of seconds.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
        raise ValueError(f"timeout must be a positive number of seconds to wait for the person, but it is {timeout!r}.")
    return timeout


def _essence(ask: TokenRequest) -> TokenRequest:
    """Equal for requests that ask a person for the same."""
    return ask._replace(context=ALONE, method="", patient=True)


def _owned(token: Token, home_account_id: str) -> Token:
    owned = AccountToken(*token)
    owned.home_account_id = home_account_id
    return owned


def _conclude(error: Exception) -> None:
    """Make a failure that of all who wait for the same (see `flights`)."""
    try:
        error.for_everybody = True  # type: ignore[attr-defined]
    except AttributeError:
        pass  # an exception of the user's own callback may have no place for it; then the next one asks again


class _Refused(Exception):
    """The account's refresh tokens were refused; the cause says how."""

    def reason(self) -> Optional[AuthenticationFailedError]:
        """The refusal."""
        from .._errors.errors import AuthenticationFailedError

        return self.__cause__ if isinstance(self.__cause__, AuthenticationFailedError) else None
