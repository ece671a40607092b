"""A person who signs in in the web browser.

On the wire: the browser is opened on the authority's sign-in page and comes back to a server on this machine with a
code; one POST redeems the code, together with a secret that never left this process (PKCE).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Hashable, Mapping, Optional
from urllib.parse import urlsplit

from .._constants import DEVELOPER_SIGN_ON_CLIENT_ID
from .._messages import IN_DEFAULT_CHAIN
from .._shells import AsyncCredential, AsyncSignIn, SyncCredential, SyncSignIn
from .._twins import AIO, public
from .._users import UserFlow

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._cache.memory import TokenKey
    from .._io import FlowIO
    from .._messages import Token, TokenRequest
    from .._protocols.entra import Granted
    from .._record import AuthenticationRecord
    from .._settings import SignInOptions


class InteractiveBrowserFlow(UserFlow):
    """Authenticates a person who signs in in the web browser of this machine.

    Opens the default browser and waits. The account's tokens are renewed without asking again as long as possible.

    :keyword str tenant_id: tenant to sign in to. Default: any work or school account (`organizations`).
    :keyword str client_id: application (client) id, with the redirect URI `http://localhost` for mobile and desktop
        applications. Default: a Microsoft application for developers.
    :keyword str login_hint: user name to suggest on the sign-in page.
    :keyword str redirect_uri: the application's redirect URI on this machine, with host and port, such as
        `http://localhost:8400`. Default: `http://localhost` with a free port.
    :keyword float timeout: seconds to wait for the person. Default: 300.
    :keyword authentication_record: an account that signed in before, whose cached tokens are used first.
    :paramtype authentication_record: ~azure.identity.AuthenticationRecord
    :keyword bool disable_automatic_authentication: raise `AuthenticationRequiredError` instead of asking the person;
        call `authenticate` to ask. Default: False.
    :keyword str authority: host of the authority, such as `AzureAuthorityHosts.AZURE_CHINA`. Default:
        `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword bool disable_instance_discovery: trust an authority that Microsoft does not know. Default: False.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword cache_persistence_options: where tokens are kept beyond the process. Default: in memory only.
    :paramtype cache_persistence_options: ~azure.identity.TokenCachePersistenceOptions
    :raises ValueError: an argument is malformed.
    :raises TypeError: a keyword looks like a misspelt one.

    Where no browser can be shown to a person (over SSH, in containers) requests raise `CredentialUnavailableError`: use
    `DeviceCodeCredential` there. All keywords of an azure-core pipeline (`transport`, `proxies`, ...) are accepted too.
    Sources of the flow: RFC 8252, RFC 7636.
    """

    _transient = (*UserFlow._transient, "_msal_view")

    def __init__(
        self,
        *,
        tenant_id: Optional[str] = None,
        client_id: Optional[str] = None,
        login_hint: Optional[str] = None,
        redirect_uri: Optional[str] = None,
        timeout: float = 300,
        authentication_record: Optional[AuthenticationRecord] = None,
        disable_automatic_authentication: bool = False,
        **options: Unpack[SignInOptions],
    ) -> None:
        super().__init__(
            tenant_id,
            client_id or DEVELOPER_SIGN_ON_CLIENT_ID,
            options,
            ("login_hint", "redirect_uri", "authentication_record", "disable_automatic_authentication"),
            record=authentication_record,
            automatic=not disable_automatic_authentication,
        )
        self._login_hint = login_hint
        self._redirect = _parse_redirect(redirect_uri) if redirect_uri else None
        self._timeout = timeout

    def _key(self, ask: TokenRequest) -> TokenKey:
        # Tokens that prove possession, which brokers issue, are bound to one request: no other may have them.
        return None if ask.extra.get("pop") else super()._key(ask)  # type: ignore[return-value]

    def _flight(self, ask: TokenRequest, key: Optional[TokenKey]) -> Hashable:
        flight = super()._flight(ask, key)
        return flight if key is not None else (flight, repr(ask.extra.get("pop")))

    async def _renew(self, io: FlowIO, ask: TokenRequest, record: AuthenticationRecord) -> Optional[Token]:
        if hasattr(self, "_request_token"):
            from .._published_broker import renew

            port: Any = io
            granted = await io.work(renew, self, port, ask, record, io.now())
            return granted.token if granted is not None else None
        return await super()._renew(io, ask, record)

    async def _ask_person(self, io: FlowIO, ask: TokenRequest) -> Granted:
        if hasattr(self, "_request_token"):
            return await self._ask_subclass(io, ask)
        from .._errors import AuthenticationFailedError, CredentialUnavailableError, help_link
        from .._protocols.users import authorize_url, code_form, sign_in, user_scopes
        from .._redirects import CannotListen, no_browser_reason

        reason = no_browser_reason(os.environ)
        if reason is not None:
            raise CredentialUnavailableError(
                f"{self._who}: no browser can be opened here, because {reason}. Use DeviceCodeCredential. "
                f"{help_link('sign-in')}"
            )
        tenant, scopes = self._tenant_for(ask), user_scopes(ask.scopes)
        await self._confirm_authority(io, tenant)
        secrets = sign_in(io.random(96))
        host, port, path = self._redirect or ("localhost", 0, "")
        try:
            listener = await io.listen(host, port, path, secrets.state)
        except CannotListen as error:
            raise CredentialUnavailableError(f"{self._who}: Couldn't start an HTTP server: {error}.") from error
        try:
            redirect_uri = f"http://{host}:{listener.port}{path}"
            url = authorize_url(
                self._authority,
                tenant,
                self._client_id,
                scopes,
                redirect_uri,
                secrets,
                claims=ask.claims,
                cae=ask.cae,
                login_hint=self._login_hint,
            )
            if not await io.open_browser(url):
                raise CredentialUnavailableError(
                    f"{self._who}: Failed to open a browser. Use DeviceCodeCredential. {help_link('sign-in')}"
                )
            answer = await io.receive(listener, self._timeout)
            if answer is None:
                message = (
                    f"{self._who}: Timed out after waiting {self._timeout:g} seconds for the user to authenticate. "
                )
                kind = CredentialUnavailableError if ask.context == IN_DEFAULT_CHAIN else AuthenticationFailedError
                raise kind(message + help_link("sign-in"))
            code = self._code_in(answer)
            granted = await self._exchange(
                io, ask, code_form(self._client_id, scopes, code, redirect_uri, {}, secrets.verifier)
            )
            self._check_nonce(granted, secrets.nonce)
            listener.show("You are signed in", "You can close this page and go back to the program.", success=True)
            return granted
        except Exception as error:
            listener.show("Sign-in failed", getattr(error, "message", None) or "The program says why.", success=False)
            raise
        finally:
            listener.close()

    async def _ask_subclass(self, io: FlowIO, ask: TokenRequest) -> Granted:
        """Let a subclass sign the person in, in the way of the published package's broker credential."""
        from .._errors import AuthenticationFailedError, help_link
        from .._published_broker import request_token

        port: Any = io
        granted = await io.work(request_token, self, port, ask, io.now())
        if granted is None:
            raise AuthenticationFailedError(
                f"{self._who}: Authentication failed: the broker returned no token. {help_link('broker')}"
            )
        return granted

    def _code_in(self, answer: Mapping[str, str]) -> str:
        from .._errors import AuthenticationFailedError, help_link, redacted

        if answer.get("error"):
            said = redacted(answer.get("error_description") or answer["error"])
            raise AuthenticationFailedError(
                f"{self._who}: Authentication failed: ({redacted(answer['error'])}) {said} {help_link('sign-in')}",
                error_code=answer["error"],
            )
        if not answer.get("code"):
            raise AuthenticationFailedError(
                f"{self._who}: the sign-in came back without a code. {help_link('sign-in')}"
            )
        return answer["code"]

    def _check_nonce(self, granted: Granted, nonce: str) -> None:
        """The id token must be the answer to this very sign-in (OpenID Connect Core, section 3.1.3.7)."""
        from .._errors import AuthenticationFailedError, help_link
        from .._protocols.users import jwt_claims

        claims = jwt_claims(granted.body.get("id_token"))
        if claims and claims.get("nonce") != nonce:
            raise AuthenticationFailedError(
                f"{self._who}: the id token is not the answer to this sign-in: its nonce differs. "
                f"{help_link('sign-in')}"
            )


def _parse_redirect(uri: str) -> tuple[str, int, str]:
    parts = urlsplit(uri)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme != "http" or not host or not port or parts.query or parts.fragment:
        raise ValueError(
            "redirect_uri must be an http URL of this machine with host and port, such as 'http://localhost:8400', "
            "but it "
            f"is {uri!r}."
        )
    return host, port, parts.path


@public("InteractiveBrowserCredential")
class InteractiveBrowserCredential(InteractiveBrowserFlow, SyncSignIn, SyncCredential):
    __doc__ = InteractiveBrowserFlow.__doc__


@public("InteractiveBrowserCredential", AIO)
class AsyncInteractiveBrowserCredential(InteractiveBrowserFlow, AsyncSignIn, AsyncCredential):
    __doc__ = InteractiveBrowserFlow.__doc__
