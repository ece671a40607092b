"""The two faces of a flow: what programs call. Written exactly twice, here and nowhere else.

A shell looks in the cache before any coroutine is made: `_hot` maps the arguments of a call, as they came, to the entry
that answered it last. The entry says until when it may be used without a further thought; after that, and for anything
unusual (claims, another tenant), the flow decides.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Coroutine, Iterable, Mapping, Optional, TypeVar

from .._errors.help import help_link
from .._errors.logging import log_failure, log_success
from .._outside.blocking import BlockingIO
from .._outside.port import clock, run_blocking
from .._outside.suspending import AsyncIO
from .._values.messages import Closed, PortError, TokenRequest
from .flow import Flow

if TYPE_CHECKING:
    from types import TracebackType

    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

    from .._cache.memory import Entry
    from .._values.record import AuthenticationRecord

_LOGGER = logging.getLogger(__name__)
_HOT_LIMIT = 20_000

SyncSelf = TypeVar("SyncSelf", bound="SyncCredential")
AsyncSelf = TypeVar("AsyncSelf", bound="AsyncCredential")
T = TypeVar("T")


class _Shell(Flow):
    """What both faces do with a request before and after the flow."""

    _hot: Mapping[tuple[tuple[str, ...], bool], Entry] = {}

    def _asked(
        self,
        method: str,
        scopes: tuple[Any, ...],
        claims: Optional[str],
        tenant_id: Optional[str],
        enable_cae: bool,
        extra: Mapping[str, Any],
    ) -> TokenRequest:
        return TokenRequest(scopes, tenant_id or None, claims or None, bool(enable_cae), method=method, extra=extra)

    def _asked_with(self, method: str, scopes: tuple[Any, ...], options: Optional[Mapping[str, Any]]) -> TokenRequest:
        extra = dict(options or {})
        claims, tenant_id, cae = extra.pop("claims", None), extra.pop("tenant_id", None), extra.pop("enable_cae", False)
        return self._asked(method, scopes, claims, tenant_id, cae, extra)

    def _remember(self, ask: TokenRequest, entry: Entry) -> None:
        if not entry.reusable or ask.tenant is not None or ask.claims or ask.extra:
            return
        hot = self.__dict__.get("_hot")
        if hot is None or len(hot) >= _HOT_LIMIT:
            hot = self.__dict__["_hot"] = {}
        hot[ask.scopes, ask.cae] = entry

    def _closed_error(self) -> ValueError:
        return ValueError(
            f"{self._who} is closed: its 'with' block has ended or close() was called. Create a new credential, or "
            "keep this one open as long as something uses it."
        )

    def _said(self, error: PortError) -> Exception:
        """A port's failure that a flow did not put into words of its own."""
        if isinstance(error, Closed):
            return self._closed_error()
        return self._failed(f"{self._who}: {error}. {help_link('no-connection')}")


def _info(entry: Entry) -> AccessTokenInfo:
    if entry.info is not None:
        return entry.info
    from azure.core.credentials import AccessTokenInfo

    token = entry.token
    return AccessTokenInfo(token.token, token.expires_on, token_type=token.token_type, refresh_on=token.refresh_on)


class SyncCredential(_Shell):
    """The blocking face. Safe to share between threads."""

    _package = "azure.identity"

    _port_: Optional[BlockingIO] = None

    def get_token(
        self,
        *scopes: str,
        claims: Optional[str] = None,
        tenant_id: Optional[str] = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        """Request an access token for `scopes`.

        Azure SDK clients call this by themselves. A valid cached token is returned without any request; concurrent
        calls for the same token make one request.

        :param str scopes: what the token should grant, such as `https://vault.azure.net/.default`; at least one.
        :keyword str claims: a claims challenge (JSON) from an earlier refusal. A cached token is not used then.
        :keyword str tenant_id: the tenant to request the token from, where it is not the one the credential is
            configured for.
        :keyword bool enable_cae: whether the caller can handle a claims challenge (continuous access evaluation).
            Default: False.
        :return: the token, and `expires_on`, when it expires in seconds since the epoch.
        :rtype: ~azure.core.credentials.AccessToken
        :raises ~azure.identity.CredentialUnavailableError: the credential cannot even try here.
        :raises ~azure.core.exceptions.ClientAuthenticationError: it tried, and the answer was no. `message` says why
            and what to do.
        :raises ValueError: no scope was given, or the tenant or the claims are malformed.
        """
        if claims is None and tenant_id is None and not kwargs:
            try:
                entry = self._hot.get((scopes, enable_cae))
            except TypeError:  # unhashable: somebody passed a list; the check below says so
                entry = None
            if entry is not None and clock() < entry.fresh_until:
                return entry.access_token
        return self._token(self._asked("get_token", scopes, claims, tenant_id, enable_cae, kwargs)).access_token

    def get_token_info(self, *scopes: str, options: Optional[TokenRequestOptions] = None) -> AccessTokenInfo:
        """Request an access token for `scopes`, with what is known about it. See `get_token`.

        :param str scopes: what the token should grant; at least one.
        :keyword options: `claims`, `tenant_id` and `enable_cae`, as in `get_token`.
        :paramtype options: ~azure.core.credentials.TokenRequestOptions
        :return: the token, `expires_on` and `refresh_on` in seconds since the epoch, and `token_type`.
        :rtype: ~azure.core.credentials.AccessTokenInfo
        :raises ~azure.identity.CredentialUnavailableError: the credential cannot even try here.
        :raises ~azure.core.exceptions.ClientAuthenticationError: it tried, and the answer was no.
        :raises ValueError: no scope was given, or the tenant or the claims are malformed.
        """
        if not options:
            try:
                entry = self._hot.get((scopes, False))
            except TypeError:
                entry = None
            if entry is not None and clock() < entry.fresh_until:
                return _info(entry)
        return _info(self._token(self._asked_with("get_token_info", scopes, options)))

    def close(self) -> None:
        """Close the transport. A credential that has not sent a request yet has none, and stays usable."""
        self._run(self._close(self._port))

    def __enter__(self: SyncSelf) -> SyncSelf:
        self._run(self._open(self._port))
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]] = None,
        exc_value: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None:
        self._run(self._close(self._port, exc_type, exc_value, traceback))

    @property
    def _port(self) -> BlockingIO:
        port = self._port_
        if port is None:
            port = self.__dict__.setdefault("_port_", BlockingIO(self._pipeline_options, self._flights))
        return port

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return run_blocking(coroutine)
        except PortError as error:
            raise self._said(error) from error

    def _token(self, ask: TokenRequest) -> Entry:
        """Answer a request. A chain calls this too, with its context in the request."""
        self._check(ask)
        try:
            entry = self._run(self._answer(self._port, ask))
        except Exception as error:
            log_failure(_LOGGER, self._who, ask, error)
            raise
        log_success(_LOGGER, self._who, ask, entry.token)
        self._remember(ask, entry)
        return entry


class AsyncCredential(_Shell):
    """The suspending face. Safe to share between tasks, event loops and threads."""

    _package = "azure.identity.aio"

    _port_: Optional[AsyncIO] = None

    async def get_token(
        self,
        *scopes: str,
        claims: Optional[str] = None,
        tenant_id: Optional[str] = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        """Request an access token for `scopes`.

        Azure SDK clients call this by themselves. A valid cached token is returned without any request; concurrent
        calls for the same token make one request.

        :param str scopes: what the token should grant, such as `https://vault.azure.net/.default`; at least one.
        :keyword str claims: a claims challenge (JSON) from an earlier refusal. A cached token is not used then.
        :keyword str tenant_id: the tenant to request the token from, where it is not the one the credential is
            configured for.
        :keyword bool enable_cae: whether the caller can handle a claims challenge (continuous access evaluation).
            Default: False.
        :return: the token, and `expires_on`, when it expires in seconds since the epoch.
        :rtype: ~azure.core.credentials.AccessToken
        :raises ~azure.identity.CredentialUnavailableError: the credential cannot even try here.
        :raises ~azure.core.exceptions.ClientAuthenticationError: it tried, and the answer was no. `message` says why
            and what to do.
        :raises ValueError: no scope was given, or the tenant or the claims are malformed.
        """
        if claims is None and tenant_id is None and not kwargs:
            try:
                entry = self._hot.get((scopes, enable_cae))
            except TypeError:  # unhashable: somebody passed a list; the check below says so
                entry = None
            if entry is not None and clock() < entry.fresh_until:
                return entry.access_token
        ask = self._asked("get_token", scopes, claims, tenant_id, enable_cae, kwargs)
        return (await self._token(ask)).access_token

    async def get_token_info(self, *scopes: str, options: Optional[TokenRequestOptions] = None) -> AccessTokenInfo:
        """Request an access token for `scopes`, with what is known about it. See `get_token`.

        :param str scopes: what the token should grant; at least one.
        :keyword options: `claims`, `tenant_id` and `enable_cae`, as in `get_token`.
        :paramtype options: ~azure.core.credentials.TokenRequestOptions
        :return: the token, `expires_on` and `refresh_on` in seconds since the epoch, and `token_type`.
        :rtype: ~azure.core.credentials.AccessTokenInfo
        :raises ~azure.identity.CredentialUnavailableError: the credential cannot even try here.
        :raises ~azure.core.exceptions.ClientAuthenticationError: it tried, and the answer was no.
        :raises ValueError: no scope was given, or the tenant or the claims are malformed.
        """
        if not options:
            try:
                entry = self._hot.get((scopes, False))
            except TypeError:
                entry = None
            if entry is not None and clock() < entry.fresh_until:
                return _info(entry)
        return _info(await self._token(self._asked_with("get_token_info", scopes, options)))

    async def close(self) -> None:
        """Close the transport. A credential that has not sent a request yet has none, and stays usable."""
        await self._run(self._close(self._port))

    async def __aenter__(self: AsyncSelf) -> AsyncSelf:
        await self._run(self._open(self._port))
        return self

    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]] = None,
        exc_value: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None:
        await self._run(self._close(self._port, exc_type, exc_value, traceback))

    @property
    def _port(self) -> AsyncIO:
        port = self._port_
        if port is None:
            port = self.__dict__.setdefault("_port_", AsyncIO(self._pipeline_options, self._flights))
        return port

    async def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return await coroutine
        except PortError as error:
            raise self._said(error) from error

    async def _token(self, ask: TokenRequest) -> Entry:
        """Answer a request. A chain calls this too, with its context in the request."""
        self._check(ask)
        try:
            entry = await self._run(self._answer(self._port, ask))
        except Exception as error:
            log_failure(_LOGGER, self._who, ask, error)
            raise
        log_success(_LOGGER, self._who, ask, entry.token)
        self._remember(ask, entry)
        return entry


class SyncSignIn:
    """What the blocking credentials of people have besides."""

    def authenticate(
        self,
        *,
        scopes: Optional[Iterable[str]] = None,
        claims: Optional[str] = None,
        tenant_id: Optional[str] = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AuthenticationRecord:
        """Ask the person to sign in, whatever is cached. Who signs in is the account of the tokens from then on.

        :keyword scopes: what to consent to. Default: access to the cloud's resource manager.
        :paramtype scopes: list[str]
        :keyword str claims: a claims challenge (JSON) to sign in with.
        :keyword str tenant_id: the tenant to sign in to, where it is not the one the credential is configured for.
        :keyword bool enable_cae: whether callers can handle a claims challenge. Default: False.
        :return: who signed in, without secrets; it can be kept and given to a credential later.
        :rtype: ~azure.identity.AuthenticationRecord
        :raises ~azure.core.exceptions.ClientAuthenticationError: the sign-in failed; `message` says why.
        :raises ~azure.identity.CredentialUnavailableError: it could not begin.
        :raises ValueError: a scope, the tenant or the claims are malformed.
        :raises TypeError: `scopes` is a single string, or an identity keyword looks misspelt.
        """
        shell: Any = self
        ask = shell._asked_to_sign_in(scopes, claims, tenant_id, enable_cae, kwargs)
        try:
            record: AuthenticationRecord = shell._run(shell._authenticate(shell._port, ask))
        except Exception as error:
            log_failure(_LOGGER, shell._who, ask, error)
            raise
        log_success(_LOGGER, shell._who, ask, None)
        return record


class AsyncSignIn:
    """What the suspending credentials of people have besides."""

    async def authenticate(
        self,
        *,
        scopes: Optional[Iterable[str]] = None,
        claims: Optional[str] = None,
        tenant_id: Optional[str] = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AuthenticationRecord:
        """Ask the person to sign in, whatever is cached. Who signs in is the account of the tokens from then on.

        :keyword scopes: what to consent to. Default: access to the cloud's resource manager.
        :paramtype scopes: list[str]
        :keyword str claims: a claims challenge (JSON) to sign in with.
        :keyword str tenant_id: the tenant to sign in to, where it is not the one the credential is configured for.
        :keyword bool enable_cae: whether callers can handle a claims challenge. Default: False.
        :return: who signed in, without secrets; it can be kept and given to a credential later.
        :rtype: ~azure.identity.AuthenticationRecord
        :raises ~azure.core.exceptions.ClientAuthenticationError: the sign-in failed; `message` says why.
        :raises ~azure.identity.CredentialUnavailableError: it could not begin.
        :raises ValueError: a scope, the tenant or the claims are malformed.
        :raises TypeError: `scopes` is a single string, or an identity keyword looks misspelt.
        """
        shell: Any = self
        ask = shell._asked_to_sign_in(scopes, claims, tenant_id, enable_cae, kwargs)
        try:
            record: AuthenticationRecord = await shell._run(shell._authenticate(shell._port, ask))
        except Exception as error:
            log_failure(_LOGGER, shell._who, ask, error)
            raise
        log_success(_LOGGER, shell._who, ask, None)
        return record
