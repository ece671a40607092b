"""What credentials of people have in common: silent first, then ask.

In order: a cached access token of the account; else a refresh token, redeemed by one POST; else the person is asked, in
the way the credential is made for, unless the program said not to (`disable_automatic_authentication`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Iterable, Mapping, Optional

from ._cache.refresh_tokens import RefreshToken, RefreshTokens
from ._entra import EntraFlow
from ._messages import TokenRequest

if TYPE_CHECKING:
    from ._cache.memory import Entry, TokenKey
    from ._io import FlowIO
    from ._messages import Token
    from ._protocols.entra import Granted
    from ._record import AuthenticationRecord

_LOGGER = logging.getLogger(__name__)

DEFAULT_TENANT = "organizations"
"""Any work or school account ("Microsoft identity platform endpoints")."""

_DEAD = ("bad_token", "token_expired")
"""Suberrors after which a refresh token never works again."""

# What `authenticate` asks for when no scopes are given: access to the cloud's resource manager.
_MANAGEMENT_SCOPES = {
    "login.microsoftonline.com": "https://management.core.windows.net//.default",
    "login.microsoftonline.us": "https://management.core.usgovcloudapi.net//.default",
    "login.partner.microsoftonline.cn": "https://management.core.chinacloudapi.cn//.default",
}


class UserFlow(EntraFlow):
    """A flow for a signed-in person."""

    _transient = (*EntraFlow._transient, "_refresh_tokens_")
    _refresh_tokens_: Optional[RefreshTokens] = None
    _record: Optional[AuthenticationRecord] = None
    _automatic = True
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

    def _keep(self, key: TokenKey, token: Token, now: int) -> Entry:
        # The account may have been unknown, or another one, when the key was made.
        return super()._keep(key._replace(subject=self._record.home_account_id if self._record else ""), token, now)

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from ._errors import AuthenticationRequiredError

        refused: Optional[Exception] = None
        if self._record is not None:
            try:
                token = await self._renew(io, ask, self._record)
            except _Refused as error:
                refused = error.__cause__ if isinstance(error.__cause__, Exception) else None
            else:
                if token is not None:
                    return token
        if not self._automatic or not ask.patient:
            claims = getattr(refused, "claims", None) or ask.claims
            message = None
            if refused is not None:
                message = (
                    f"{self._who}: the account has to sign in again. {refused} Call 'authenticate' to begin "
                    "interactive "
                    "authentication."
                )
            raise AuthenticationRequiredError(ask.scopes, message, claims) from refused
        return await self._sign_in(io, ask)

    async def _sign_in(self, io: FlowIO, ask: TokenRequest) -> Token:
        """Ask the person, and remember who it was."""
        granted = await self._ask_person(io, ask)
        self._remember_account(granted, ask)
        return granted.token

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
        from ._errors import AuthenticationFailedError
        from ._protocols.users import anchor, refresh_form, user_scopes

        cloud, home = self._authority.cloud, record.home_account_id
        last: Optional[AuthenticationFailedError] = None
        for candidate in self._refresh_tokens.candidates(cloud, home, self._client_id):
            form = refresh_form(self._client_id, user_scopes(ask.scopes), candidate.secret, self._proof())
            try:
                granted = await self._exchange(io, ask, form, anchor(home_account_id=home))
            except AuthenticationFailedError as error:
                if error.error_code not in ("invalid_grant", "interaction_required", "consent_required"):
                    raise  # the service or the network is in trouble; signing in again would not help
                if error.suberror == "client_mismatch":
                    self._refresh_tokens.leave_family(self._client_id)
                elif error.suberror in _DEAD or (error.error_code == "invalid_grant" and error.suberror is None):
                    self._refresh_tokens.drop(cloud, home, candidate.secret)
                last = error
            else:
                self._remember_account(granted, ask)
                return granted.token
        if last is not None:
            raise _Refused from last
        return None

    def _remember_account(self, granted: Granted, ask: TokenRequest) -> None:
        from ._errors import AuthenticationFailedError, help_link
        from ._protocols.users import parse_account

        account = parse_account(granted.body, self._client_id, self._authority, self._tenant_for(ask))
        if account is None:
            if self._record is None and self._needs_account:
                raise AuthenticationFailedError(
                    f"{self._who}: the answer does not say whose token it is (neither client_info nor an id token). "
                    f"{help_link('unusable-answer')}"
                )
            return
        renewed = self._record is not None and self._record.home_account_id == account.home_account_id
        if not renewed or account.username:
            # A renewal may come without an id token; then what is known about the account stays.
            self._record = account.record
        if account.refresh_token:
            token = RefreshToken(account.refresh_token, self._client_id, account.family_id)
            self._refresh_tokens.put(self._authority.cloud, account.home_account_id, token)

    # --- authenticate ---

    def _asked_to_sign_in(
        self, scopes: Optional[Iterable[str]], claims: Optional[str], tenant_id: Optional[str], enable_cae: bool
    ) -> TokenRequest:
        """The request behind `authenticate`."""
        if scopes is None:
            default = _MANAGEMENT_SCOPES.get(self._authority.cloud)
            if default is None:
                from ._errors import CredentialUnavailableError

                raise CredentialUnavailableError(
                    f"{self._who}: authenticate() needs 'scopes' here: no default scopes are known for the authority "
                    f"{self._authority.url}."
                )
            scopes = (default,)
        elif isinstance(scopes, str):
            raise TypeError(
                "authenticate() takes scopes as a list of strings, such as ['https://vault.azure.net/.default']."
            )
        ask = TokenRequest(tuple(scopes), tenant_id or None, claims or None, bool(enable_cae), method="authenticate")
        self._check(ask)
        return ask

    async def _authenticate(self, io: FlowIO, ask: TokenRequest) -> AuthenticationRecord:
        """Have the person sign in, whatever is cached."""
        now = io.now()
        token = await self._sign_in(io, ask)
        self._keep(self._key(ask), token, now)
        self.__dict__.pop("_hot", None)  # entries of another account, perhaps
        assert self._record is not None
        return self._record


class _Refused(Exception):
    """The account's refresh tokens were refused; the cause says how."""
