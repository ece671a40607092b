"""An authorization code the program already has. On the wire: one POST redeems it, once; later ones use the refresh
token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .._errors.help import help_link
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._flows.users import UserFlow
from .._protocols.tenants import validate_tenant

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._outside.port import FlowIO
    from .._protocols.entra import Granted
    from .._values.messages import TokenRequest
    from .._values.settings import CredentialOptions


class AuthorizationCodeFlow(UserFlow):
    """Authenticates by redeeming an authorization code previously obtained from Microsoft Entra ID.

    The code is used once. Later tokens come from the refresh token its redemption brought.

    :param str tenant_id: id or domain name of the tenant; also `organizations`, `common` or `consumers`.
    :param str client_id: application (client) id.
    :param str authorization_code: the code from the person's sign-in.
    :param str redirect_uri: the redirect URI the code was sent to, exactly as in the sign-in's request.
    :keyword str client_secret: a client secret of the application. Required for web applications.
    :keyword str authority: host of the authority, such as `AzureAuthorityHosts.AZURE_CHINA`. Default:
        `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword bool disable_instance_discovery: trust an authority that Microsoft does not know. Default: False.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword cache_persistence_options: where tokens are kept beyond the process. Default: in memory only.
    :paramtype cache_persistence_options: ~azure.identity.TokenCachePersistenceOptions
    :raises ValueError: an argument is empty or malformed.
    :raises TypeError: an identity keyword looks misspelt.

    All keywords of an azure-core pipeline (`transport`, `proxies`, `retry_total`, ...) are accepted too. Source: RFC
    6749, section 4.1.3.
    """

    _needs_account = False

    def __init__(
        self,
        tenant_id: str,
        client_id: str,
        authorization_code: str,
        redirect_uri: str,
        *,
        client_secret: Optional[str] = None,
        **options: Unpack[CredentialOptions],
    ) -> None:
        super().__init__(validate_tenant(tenant_id), client_id, options, ("client_secret",))
        if not authorization_code:
            raise ValueError("authorization_code must be the code of a sign-in, but it is empty.")
        if not redirect_uri:
            raise ValueError("redirect_uri must be the redirect URI of the sign-in's request, but it is empty.")
        self._code: Optional[str] = authorization_code
        self._redirect_uri = redirect_uri
        self._secret = client_secret

    def _proof(self) -> dict[str, str]:
        from .._protocols.entra import secret_proof

        return secret_proof(self._secret) if self._secret else {}

    async def _ask_person(self, io: FlowIO, ask: TokenRequest) -> Granted:
        from .._protocols.users import code_form, user_scopes

        if self._code is None:
            raise self._failed(
                f"{self._who}: the authorization code has been used, and there is no refresh token that works: the "
                f"person has to sign in again. {help_link('sign-in')}"
            )
        form = code_form(self._client_id, user_scopes(ask.scopes), self._code, self._redirect_uri, self._proof())
        granted = await self._exchange(io, ask, form)
        self._code = None  # it works once; a second attempt would make the service revoke what the first brought
        return granted

    def _secrets(self) -> tuple[str, ...]:
        return (self._secret or "", self._code or "")


@public("AuthorizationCodeCredential")
class AuthorizationCodeCredential(AuthorizationCodeFlow, SyncCredential):
    __doc__ = AuthorizationCodeFlow.__doc__


@public("AuthorizationCodeCredential", AIO)
class AsyncAuthorizationCodeCredential(AuthorizationCodeFlow, AsyncCredential):
    __doc__ = AuthorizationCodeFlow.__doc__
