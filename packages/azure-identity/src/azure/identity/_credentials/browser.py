"""A person who signs in in the web browser.

On the wire: the browser is opened on the authority's sign-in page and comes back to a server on this machine with a
code; one POST redeems the code, together with a secret that never left this process (PKCE).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Hashable, Mapping, Optional

from .._constants import DEVELOPER_SIGN_ON_CLIENT_ID
from .._errors.help import help_link
from .._flows.shells import AsyncCredential, AsyncSignIn, SyncCredential, SyncSignIn
from .._flows.twins import AIO, public
from .._flows.users import UserFlow, seconds_to_wait
from .._values.messages import IN_DEFAULT_CHAIN
from .._values.redaction import redacted

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._cache.memory import TokenKey
    from .._outside.port import FlowIO
    from .._outside.redirects import RedirectListener
    from .._protocols.entra import Granted
    from .._protocols.users import SignIn
    from .._values.messages import Token, TokenRequest
    from .._values.record import AuthenticationRecord
    from .._values.settings import SignInOptions


class InteractiveBrowserFlow(UserFlow):
    """Authenticates a person who signs in in the web browser of this machine.

    Opens the default browser and waits. The account's tokens are renewed without asking again as long as possible.

    :keyword str tenant_id: tenant to sign in to. Default: any work or school account (`organizations`).
    :keyword str client_id: application (client) id, with the redirect URI `http://localhost` for mobile and desktop
        applications. Default: a Microsoft application for developers.
    :keyword str login_hint: user name to suggest on the sign-in page.
    :keyword str redirect_uri: the application's redirect URI on this machine, with host and port, such as
        `http://localhost:8400`; a path is kept. Default: `http://localhost` with a free port.
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
    :raises TypeError: an identity keyword looks misspelt.

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
        self._timeout = seconds_to_wait(300 if timeout is None else timeout)

    def _key(self, ask: TokenRequest) -> TokenKey:
        # Tokens that prove possession, which brokers issue, are bound to one request: no other may have them.
        return None if ask.extra.get("pop") else super()._key(ask)  # type: ignore[return-value]

    def _flight(self, ask: TokenRequest, key: Optional[TokenKey]) -> Hashable:
        flight = super()._flight(ask, key)
        return flight if key is not None else (flight, repr(ask.extra.get("pop")))

    async def _renew(self, io: FlowIO, ask: TokenRequest, record: AuthenticationRecord) -> Optional[Token]:
        if hasattr(self, "_request_token"):
            from .._broker.published_broker import renew

            port: Any = io
            granted = await io.work(renew, self, port, ask, record, io.now())
            return granted.token if granted is not None else None
        return await super()._renew(io, ask, record)

    async def _ask_person(self, io: FlowIO, ask: TokenRequest) -> Granted:
        if hasattr(self, "_request_token"):
            return await self._ask_subclass(io, ask)
        from .._outside.redirects import CannotListen
        from .._protocols.users import sign_in

        reason = io.no_browser()
        if reason is not None:
            raise self._unavailable(
                f"{self._who}: no browser can be opened here, because {reason}. Use DeviceCodeCredential. "
                f"{help_link('sign-in')}"
            )
        await self._confirm_authority(io, self._tenant_for(ask))
        secrets = sign_in(io.random(96))
        host, port, path = self._redirect or ("localhost", 0, "")
        try:
            listener = await io.listen(host, port, path, secrets.state)
        except CannotListen as error:
            raise self._unavailable(
                f"{self._who}: Couldn't start an HTTP server: {error}. {help_link('sign-in')}"
            ) from error
        location = f"[{host}]" if ":" in host else host
        try:
            granted = await self._through_browser(
                io, ask, secrets, listener, f"http://{location}:{listener.port}{path}"
            )
            await io.work(listener.show, None)
            return granted
        except Exception as error:  # whatever it is: the waiting browser is told, and it goes on its way
            await io.work(listener.show, getattr(error, "message", None) or "")
            raise
        finally:
            listener.close()

    async def _through_browser(
        self, io: FlowIO, ask: TokenRequest, secrets: SignIn, listener: RedirectListener, redirect_uri: str
    ) -> Granted:
        from .._protocols.users import authorize_url, code_form, user_scopes

        scopes = user_scopes(ask.scopes)
        url = authorize_url(
            self._authority,
            self._tenant_for(ask),
            self._client_id,
            scopes,
            redirect_uri,
            secrets,
            claims=ask.claims,
            cae=ask.cae,
            login_hint=self._login_hint,
        )
        if not await io.open_browser(url):
            raise self._unavailable(
                f"{self._who}: Failed to open a browser. Use DeviceCodeCredential. {help_link('sign-in')}"
            )
        answer = await io.receive(listener, self._timeout)
        if answer is None:
            raise self._timed_out(ask)
        form = code_form(self._client_id, scopes, self._code_in(answer), redirect_uri, {}, secrets.verifier)
        granted = await self._exchange(io, ask, form)
        self._check_nonce(granted, secrets.nonce)
        return granted

    def _timed_out(self, ask: TokenRequest) -> Exception:
        from .._errors.errors import AuthenticationFailedError, CredentialUnavailableError

        # In the default chain nobody may be there to sign in, and other members may do without.
        kind = CredentialUnavailableError if ask.context == IN_DEFAULT_CHAIN else AuthenticationFailedError
        return kind(
            f"{self._who}: Timed out after waiting {self._timeout:g} seconds for the user to authenticate. "
            f"{help_link('sign-in')}"
        )

    async def _ask_subclass(self, io: FlowIO, ask: TokenRequest) -> Granted:
        """Let a subclass sign the person in, in the way of the published package's broker credential."""
        from .._broker.published_broker import request_token

        port: Any = io
        granted = await io.work(request_token, self, port, ask, io.now())
        if granted is None:
            raise self._failed(
                f"{self._who}: Authentication failed: the broker returned no token. {help_link('broker')}"
            )
        return granted

    def _code_in(self, answer: Mapping[str, str]) -> str:
        error = answer.get("error")
        if error:
            reason = answer.get("error_description") or "The sign-in page gave no reason."
            said = redacted(reason, answer.get("code", ""))
            raise self._failed(
                f"{self._who}: Authentication failed: ({redacted(error, limit=100)}) {said} {help_link('sign-in')}",
                error_code=error,
            )
        if not answer.get("code"):
            raise self._failed(f"{self._who}: the sign-in came back without a code. {help_link('sign-in')}")
        return answer["code"]

    def _check_nonce(self, granted: Granted, nonce: str) -> None:
        """The id token must be the answer to this very sign-in (OpenID Connect Core, section 3.1.3.7)."""
        from .._protocols.users import jwt_claims

        claims = jwt_claims(granted.body.get("id_token"))
        if claims and claims.get("nonce") != nonce:
            raise self._failed(
                f"{self._who}: the id token is not the answer to this sign-in: its nonce differs. "
                f"{help_link('sign-in')}"
            )


_REDIRECT = re.compile(
    r"\Ahttp://(?:(localhost|127(?:\.[0-9]{1,3}){3})|\[(::1)\]):([0-9]{1,5})(/[a-z0-9._~!$&'()*+,;=:@%/-]*)?\Z",
    re.IGNORECASE | re.ASCII,
)


def _parse_redirect(uri: str) -> tuple[str, int, str]:
    """Host, port and path of a redirect URI.

    :raises ValueError: it has no port, or something else than this machine could receive what is sent there (RFC 8252,
        section 7.3).
    """
    match = _REDIRECT.match(uri)
    if match is None or not 0 < int(match[3]) < 65536:
        raise ValueError(
            "redirect_uri must be an http URL of this machine with host and port, such as 'http://localhost:8400', "
            f"but it is {uri!r}."
        )
    return (match[1] or match[2]).lower(), int(match[3]), match[4] or ""


@public("InteractiveBrowserCredential")
class InteractiveBrowserCredential(InteractiveBrowserFlow, SyncSignIn, SyncCredential):
    __doc__ = InteractiveBrowserFlow.__doc__


@public("InteractiveBrowserCredential", AIO)
class AsyncInteractiveBrowserCredential(InteractiveBrowserFlow, AsyncSignIn, AsyncCredential):
    __doc__ = InteractiveBrowserFlow.__doc__
