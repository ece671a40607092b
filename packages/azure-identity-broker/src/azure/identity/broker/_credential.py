"""The account of the operating system's broker, through msal, which talks to the broker's runtime.

On the wire: msal reads the authority's OpenID configuration once per tenant; the rest is between the broker and the
authority. Without a broker msal opens the web browser, unless `disable_interactive_fallback` is set: then nothing is
tried but the broker, with `prompt=none`, and a machine without one is refused before anything is asked.
"""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any, Mapping, Optional, TypedDict, Union

from azure.core.credentials import TokenRequestOptions

from azure.identity import InteractiveBrowserCredential
from azure.identity._broker.msal_bridge import MsalHttp, granted, msal, renewed, runtime_problem
from azure.identity._credentials.browser import InteractiveBrowserFlow
from azure.identity._errors.errors import AuthenticationFailedError, CredentialUnavailableError, help_link, redacted
from azure.identity._flows.twins import public
from azure.identity._flows.users import _Refused
from azure.identity._protocols.scopes import CAE_CAPABILITY
from azure.identity._values import settings as _settings
from azure.identity._values.messages import IN_DEFAULT_CHAIN, Token, TokenRequest

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from azure.identity import AuthenticationRecord
    from azure.identity._outside.port import FlowIO
    from azure.identity._protocols.entra import Granted
    from azure.identity._values.settings import SignInOptions

_PARAMETERS = (
    "parent_window_handle",
    "use_default_broker_account",
    "enable_msa_passthrough",
    "disable_interactive_fallback",
)
_POP_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


class PopOptions(TypedDict, total=False):
    """The request a proof-of-possession token is bound to."""

    resource_request_method: str
    resource_request_url: str
    nonce: str


class PopTokenRequestOptions(TokenRequestOptions, total=False):
    """Options of `get_token_info` that ask for a proof-of-possession token."""

    pop: Union[bool, Mapping[str, str]]
    """`resource_request_method`, `resource_request_url` and `nonce` of the request the token is for, all three (see
    `PopOptions`). False: an ordinary token."""


class BrokerFlow(InteractiveBrowserFlow):
    """Authenticates a person through the operating system's authentication broker.

    Where there is no broker, the web browser is used instead, unless `disable_interactive_fallback` is set.

    :keyword parent_window_handle: handle of the window the sign-in dialog belongs to; for console programs
        `msal.PublicClientApplication.CONSOLE_WINDOW_HANDLE`.
    :paramtype parent_window_handle: int
    :keyword bool use_default_broker_account: try the account the person is signed in to the system with first, without
        asking. Default: False.
    :keyword bool enable_msa_passthrough: for applications that take personal accounts by a legacy arrangement. Default:
        False.
    :keyword bool disable_interactive_fallback: never show anything: only the default account counts. Default: False.
    :keyword str tenant_id: tenant to sign in to. Default: any work or school account (`organizations`).
    :keyword str client_id: application (client) id. Default: a Microsoft application for developers.
    :keyword str login_hint: user name to suggest.
    :keyword str redirect_uri: redirect URI for the browser, with host and port.
    :keyword float timeout: seconds to wait for the person. Default: 300.
    :keyword authentication_record: an account that signed in before.
    :paramtype authentication_record: ~azure.identity.AuthenticationRecord
    :keyword bool disable_automatic_authentication: raise `AuthenticationRequiredError` instead of asking. Default:
        False.
    :keyword str authority: host of the authority. Default: `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from. Default:
        none.
    :paramtype additionally_allowed_tenants: list[str]
    :raises ValueError: an argument is malformed.
    :raises TypeError: a keyword looks like a misspelt one.
    """

    _transient = (*InteractiveBrowserFlow._transient, "_applications_")
    _applications_: Optional[dict[tuple[str, bool], Any]] = None

    def __init__(
        self,
        *,
        parent_window_handle: Optional[Any] = None,
        use_default_broker_account: bool = False,
        enable_msa_passthrough: bool = False,
        disable_interactive_fallback: bool = False,
        tenant_id: Optional[str] = None,
        client_id: Optional[str] = None,
        login_hint: Optional[str] = None,
        redirect_uri: Optional[str] = None,
        timeout: float = 300,
        authentication_record: Optional[AuthenticationRecord] = None,
        disable_automatic_authentication: bool = False,
        **options: Unpack[SignInOptions],
    ) -> None:
        _settings.check_unknown(self._who, options, _PARAMETERS)
        super().__init__(
            tenant_id=tenant_id,
            client_id=client_id,
            login_hint=login_hint,
            redirect_uri=redirect_uri,
            timeout=timeout,
            authentication_record=authentication_record,
            disable_automatic_authentication=disable_automatic_authentication,
            **options,
        )
        self._window = parent_window_handle
        self._use_default_account = use_default_broker_account
        self._passthrough = enable_msa_passthrough
        self._silent_only = disable_interactive_fallback
        # Whose token it is matters for renewing it later, which a silent credential leaves to the broker.
        self._needs_account = not disable_interactive_fallback
        self._expected = authentication_record.home_account_id if authentication_record is not None else None

    def _check(self, ask: TokenRequest) -> None:
        super()._check(ask)
        _check_pop(ask.extra.get("pop"))

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        if self._silent_only:
            # What is allowed needs no person, so automatic authentication and patience do not matter.
            return await self._sign_in(io, ask)
        return await super()._acquire(io, ask)

    async def _renew(self, io: FlowIO, ask: TokenRequest, record: AuthenticationRecord) -> Optional[Token]:
        """The broker, or msal's own cache, has what renews the account's tokens."""
        began = io.now()
        application = await io.work(self._application, io, ask)
        scheme = _pop_scheme(ask.extra.get("pop"))
        result = await io.work(renewed, application, record, ask.scopes, ask.claims, scheme)
        if not result:
            return None
        answer = granted(result, began)
        if answer is None:
            raise _Refused from AuthenticationFailedError(self._reason_in(result), claims=result.get("claims"))
        return answer.token

    async def _ask_person(self, io: FlowIO, ask: TokenRequest) -> Granted:
        scheme = _pop_scheme(ask.extra.get("pop"))
        began = io.now()
        application = await io.work(self._application, io, ask)
        arguments: dict[str, Any] = {
            "scopes": list(ask.scopes),
            "login_hint": self._login_hint,
            "claims_challenge": ask.claims,
            "timeout": self._timeout,
            "port": self._redirect[1] if self._redirect else None,
            "parent_window_handle": self._window,
            "enable_msa_passthrough": self._passthrough,
            "auth_scheme": scheme,
        }
        result: Mapping[str, Any] = {}
        # Without a broker, prompt=none would open the web browser and wait in vain.
        if self._use_default_account and has_broker(application):
            result = await io.work(self._ask_msal, application, {**arguments, "prompt": "none"}, self._silent_only)
        if "access_token" not in result and not self._silent_only:
            arguments["prompt"] = "select_account"
            try:
                result = await io.work(self._ask_msal, application, arguments, True)
            except CredentialUnavailableError:
                # Outside Windows the runtime may be there without a broker that it could talk to.
                if scheme is not None or not has_broker(application) or sys.platform == "win32" or is_wsl():
                    raise
                application = await io.work(self._application, io, ask, False)
                result = await io.work(self._ask_msal, application, arguments, True)
        answer = granted(result, began)
        if answer is None:
            raise self._failure(ask, self._reason_in(result))
        self._check_account(ask, answer)
        return answer

    def _application(self, io: Any, ask: TokenRequest, broker: bool = True) -> Any:
        """msal's application for the request's tenant, which keeps the accounts that signed in. `broker=False` replaces
        one whose broker turned out not to work."""
        key = (self._tenant_for(ask), ask.cae)
        applications = self._applications_
        if applications is None:
            applications = self.__dict__.setdefault("_applications_", {})
        if not broker:
            applications[key] = self._new_application(io, *key, broker=False)
        elif key not in applications:
            problem = runtime_problem()
            if self._silent_only and problem is not None:
                raise self._no_broker(problem)
            applications.setdefault(key, self._new_application(io, *key, broker=problem is None))
        application = applications[key]
        if self._silent_only and not has_broker(application):
            raise self._no_broker("msal does not use it with this authority or on this machine")
        return application

    def _new_application(self, io: Any, tenant: str, cae: bool, *, broker: bool) -> Any:
        try:
            return msal().PublicClientApplication(
                self._client_id,
                authority=f"{self._authority.url}/{tenant}",
                client_capabilities=[CAE_CAPABILITY] if cae else None,
                instance_discovery=False if self._trusted or not self._authority.needs_discovery else None,
                http_client=MsalHttp(io),
                enable_broker_on_windows=broker,
                enable_broker_on_mac=broker,
                enable_broker_on_linux=broker,
                enable_broker_on_wsl=broker,
            )
        except (ValueError, OSError) as error:
            # msal could not confirm the authority or the tenant.
            raise AuthenticationFailedError(
                f"{self._who}: Authentication failed: {redacted(str(error))} {help_link('broker')}"
            ) from error

    def _ask_msal(self, application: Any, arguments: dict[str, Any], last: bool) -> Mapping[str, Any]:
        try:
            result = application.acquire_token_interactive(**arguments)
        except (OSError, RuntimeError, ValueError) as error:
            if not last:
                return {}
            what = "Couldn't start an HTTP server" if isinstance(error, OSError) else "Failed to authenticate user"
            raise CredentialUnavailableError(
                f"{self._who}: {what}: {redacted(str(error))} {help_link('broker')}"
            ) from error
        return result or {}

    def _check_account(self, ask: TokenRequest, answer: Granted) -> None:
        """Refuse the default account's token where another account is expected."""
        if not self._silent_only or self._expected is None:
            return
        from azure.identity._protocols.users import parse_account

        account = parse_account(answer.body, self._client_id, self._authority, self._tenant_for(ask))
        if account is not None and account.home_account_id.lower() != self._expected.lower():
            raise self._failure(
                ask,
                f"{self._who}: the broker's default account is not the one of the authentication record. "
                f"{help_link('broker')}",
            )

    def _reason_in(self, result: Mapping[str, Any]) -> str:
        """What msal says went wrong."""
        if not result and self._silent_only and not self._use_default_account:
            reason = "disable_interactive_fallback leaves nothing to try without use_default_broker_account"
        else:
            reason = redacted(str(result.get("error_description") or result.get("error") or "the user gave no answer"))
        return f"{self._who}: Authentication failed: {reason.rstrip('.')}. {help_link('broker')}"

    def _failure(self, ask: TokenRequest, message: str) -> Exception:
        return (CredentialUnavailableError if ask.context == IN_DEFAULT_CHAIN else AuthenticationFailedError)(message)

    def _no_broker(self, problem: str) -> Exception:
        return CredentialUnavailableError(
            f"{self._who}: no authentication broker can be used here: {problem}. {help_link('broker')}"
        )


def has_broker(application: Any) -> bool:
    """Whether msal found a working broker runtime for this application."""
    return bool(getattr(application, "_enable_broker", False))


def is_wsl() -> bool:
    """Whether this is Windows Subsystem for Linux, by the rule msal uses."""
    return sys.platform == "linux" and "microsoft" in platform.uname().release.lower()


def _check_pop(pop: Any) -> None:
    """Refuse options for a proof-of-possession token that no broker could make one from."""
    if not pop:
        return
    if not isinstance(pop, Mapping):
        raise ValueError(
            "pop must be a mapping with resource_request_method, resource_request_url and nonce of the request the "
            f"token is for, but it is {pop!r}."
        )
    missing = [name for name in PopOptions.__annotations__ if not isinstance(pop.get(name), str) or not pop[name]]
    if missing:
        raise ValueError(f"pop lacks {', '.join(missing)} of the request the token is for.")
    if pop["resource_request_method"] not in _POP_METHODS:
        raise ValueError(f"pop: resource_request_method must be one of {', '.join(_POP_METHODS)}.")


def _pop_scheme(pop: Any) -> Any:
    if not pop:
        return None
    if sys.platform == "linux":
        raise CredentialUnavailableError(
            f"The broker on Linux issues no proof-of-possession tokens. {help_link('broker')}"
        )
    return msal().PopAuthScheme(
        http_method=pop["resource_request_method"], url=pop["resource_request_url"], nonce=pop["nonce"]
    )


@public("InteractiveBrowserBrokerCredential", "azure.identity.broker")
class InteractiveBrowserBrokerCredential(BrokerFlow, InteractiveBrowserCredential):
    __doc__ = BrokerFlow.__doc__
