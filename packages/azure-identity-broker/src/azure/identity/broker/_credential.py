"""The account of the operating system's broker. Nothing on the wire from here: msal talks to the broker's runtime.

Silent means silent: with `disable_interactive_fallback=True` the broker is asked with `prompt=none` and nothing else is
tried; in particular no browser is opened, which is why a client that did not get a working broker is refused before it
is asked.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Mapping, Optional, TypedDict, Union

from azure.core.credentials import TokenRequestOptions

from azure.identity._cache.memory import TokenKey
from azure.identity._constants import DEVELOPER_SIGN_ON_CLIENT_ID
from azure.identity._errors import AuthenticationFailedError, CredentialUnavailableError, help_link, redacted
from azure.identity._messages import IN_DEFAULT_CHAIN, Token, TokenRequest
from azure.identity._protocols.entra import Granted, whole
from azure.identity._protocols.scopes import CAE_CAPABILITY
from azure.identity._shells import SyncCredential, SyncSignIn
from azure.identity._twins import public
from azure.identity._users import UserFlow

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from azure.identity import AuthenticationRecord
    from azure.identity._io import FlowIO
    from azure.identity._settings import SignInOptions


class PopOptions(TypedDict, total=False):
    """The request a proof-of-possession token is bound to."""

    resource_request_method: str
    resource_request_url: str
    nonce: str


class PopTokenRequestOptions(TokenRequestOptions, total=False):
    """Options of `get_token_info` that ask for a proof-of-possession token."""

    pop: Union[bool, Mapping[str, str]]
    """`resource_request_method`, `resource_request_url` and `nonce` of the request the token is for."""


class BrokerFlow(UserFlow):
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
        from azure.identity._credentials.browser import _parse_redirect

        super().__init__(
            tenant_id,
            client_id or DEVELOPER_SIGN_ON_CLIENT_ID,
            options,
            _PARAMETERS,
            record=authentication_record,
            automatic=not disable_automatic_authentication,
        )
        self._window = parent_window_handle
        self._use_default_account = use_default_broker_account
        self._passthrough = enable_msa_passthrough
        self._silent_only = disable_interactive_fallback
        self._login_hint = login_hint
        self._port_number = _parse_redirect(redirect_uri)[1] if redirect_uri else None
        self._timeout = timeout

    def _key(self, ask: TokenRequest) -> Optional[TokenKey]:
        # A proof-of-possession token is for one request of one nonce: keeping it would be of no use.
        return None if ask.extra.get("pop") else super()._key(ask)  # type: ignore[return-value]

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        if self._silent_only:
            # What is allowed needs no person, so automatic authentication and patience do not matter.
            return await self._sign_in(io, ask)
        return await super()._acquire(io, ask)

    async def _ask_person(self, io: FlowIO, ask: TokenRequest) -> Granted:
        scheme = _pop_scheme(ask.extra.get("pop"))
        began = io.now()
        application = await io.work(self._application, ask)
        arguments: dict[str, Any] = {
            "scopes": list(ask.scopes),
            "login_hint": self._login_hint,
            "claims_challenge": ask.claims,
            "timeout": self._timeout,
            "port": self._port_number,
            "parent_window_handle": self._window,
            "enable_msa_passthrough": self._passthrough,
            "auth_scheme": scheme,
        }
        result: Mapping[str, Any] = {}
        if self._use_default_account:
            result = await io.work(self._ask_broker, application, {**arguments, "prompt": "none"}, self._silent_only)
        if "access_token" not in result and not self._silent_only:
            result = await io.work(self._ask_broker, application, {**arguments, "prompt": "select_account"}, True)
        return self._granted(ask, result, began)

    def _application(self, ask: TokenRequest) -> Any:
        import msal

        tenant = self._tenant_for(ask)
        try:
            application = msal.PublicClientApplication(
                self._client_id,
                authority=f"{self._authority.url}/{tenant}",
                client_capabilities=[CAE_CAPABILITY] if ask.cae else None,
                instance_discovery=False if self._trusted or not self._authority.needs_discovery else None,
                enable_broker_on_windows=True,
                enable_broker_on_mac=True,
                enable_broker_on_linux=True,
                enable_broker_on_wsl=True,
            )
        except (ImportError, OSError) as error:
            # A runtime whose libraries are missing surfaces as OSError.
            raise CredentialUnavailableError(
                f"{self._who}: the authentication broker's runtime cannot be loaded: {redacted(str(error))} "
                    f"{help_link('broker')}"
            ) from error
        if self._silent_only and not has_broker(application):
            raise CredentialUnavailableError(
                f"{self._who}: there is no authentication broker on this machine. {help_link('broker')}"
            )
        return application

    def _ask_broker(self, application: Any, arguments: dict[str, Any], last: bool) -> Mapping[str, Any]:
        try:
            result = application.acquire_token_interactive(**arguments)
        except OSError as error:
            if not last:
                return {}
            raise CredentialUnavailableError(f"{self._who}: Couldn't start an HTTP server: {error}") from error
        except (RuntimeError, ValueError) as error:
            if not last:
                return {}
            raise CredentialUnavailableError(
                f"{self._who}: Failed to authenticate user with the broker: {redacted(str(error))} "
                    f"{help_link('broker')}"
            ) from error
        return result or {}

    def _granted(self, ask: TokenRequest, result: Mapping[str, Any], began: int) -> Granted:
        token, lifetime = result.get("access_token"), whole(result.get("expires_in"))
        if not isinstance(token, str) or not token or lifetime is None:
            said = redacted(str(result.get("error_description") or "Failed to authenticate user"))
            kind = CredentialUnavailableError if ask.context == IN_DEFAULT_CHAIN else AuthenticationFailedError
            raise kind(f"{self._who}: Authentication failed: {said} {help_link('broker')}")
        refresh_on = whole(result.get("refresh_on"))
        answer = Token(token, began + lifetime, refresh_on, str(result.get("token_type") or "Bearer"))
        return Granted(answer, {"id_token": result.get("id_token"), "client_info": result.get("client_info")})


_PARAMETERS = (
    "parent_window_handle",
    "use_default_broker_account",
    "enable_msa_passthrough",
    "disable_interactive_fallback",
    "login_hint",
    "redirect_uri",
    "authentication_record",
    "disable_automatic_authentication",
)


def has_broker(application: Any) -> bool:
    """Whether msal found a working broker runtime for this application."""
    return bool(getattr(application, "_enable_broker", False))


def _pop_scheme(pop: Any) -> Any:
    if not pop:
        return None
    if not isinstance(pop, Mapping):
        raise ValueError(
            "pop must hold resource_request_method, resource_request_url and nonce of the request the token is for."
        )
    if sys.platform == "linux":
        raise CredentialUnavailableError("The broker on Linux issues no proof-of-possession tokens.")
    import msal

    return msal.PopAuthScheme(
        http_method=pop.get("resource_request_method"), url=pop.get("resource_request_url"), nonce=pop.get("nonce")
    )


@public("InteractiveBrowserBrokerCredential", "azure.identity.broker")
class InteractiveBrowserBrokerCredential(BrokerFlow, SyncSignIn, SyncCredential):
    __doc__ = BrokerFlow.__doc__
