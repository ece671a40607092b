"""A person's user name and password. On the wire: one password grant. Deprecated, because it cannot do without."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Optional

from .._flows.shells import AsyncCredential, AsyncSignIn, SyncCredential, SyncSignIn
from .._flows.twins import AIO, public
from .._flows.users import UserFlow

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._outside.port import FlowIO
    from .._protocols.entra import Granted
    from .._values.messages import TokenRequest
    from .._values.record import AuthenticationRecord
    from .._values.settings import CredentialOptions


class UsernamePasswordFlow(UserFlow):
    """Authenticates a person with user name and password. Deprecated: it does not work with multifactor authentication.

    Use `InteractiveBrowserCredential` or `DeviceCodeCredential` for people, and a service principal for programs.
    Accounts that are federated with another identity provider, and personal accounts, are not supported.

    :param str client_id: application (client) id.
    :param str username: user name, usually an e-mail address.
    :param str password: password.
    :keyword str tenant_id: tenant to sign in to. Default: any work or school account (`organizations`).
    :keyword authentication_record: accepted for compatibility, and ignored.
    :paramtype authentication_record: ~azure.identity.AuthenticationRecord
    :keyword bool disable_automatic_authentication: accepted for compatibility. Default: False.
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

    All keywords of an azure-core pipeline (`transport`, `proxies`, `retry_total`, ...) are accepted too.
    """

    def __init__(
        self,
        client_id: str,
        username: str,
        password: str,
        *,
        tenant_id: Optional[str] = None,
        authentication_record: Optional[AuthenticationRecord] = None,
        disable_automatic_authentication: bool = False,
        **options: Unpack[CredentialOptions],
    ) -> None:
        del authentication_record  # the account is the one named here
        given = dict(options)
        if not given.pop("_within_environment", False):
            warnings.warn(
                f"{self._who} is deprecated, because it does not work with multifactor authentication (MFA). See "
                "https://aka.ms/azsdk/identity/mfa",
                DeprecationWarning,
                stacklevel=2,
            )
        super().__init__(
            tenant_id,
            client_id,
            given,
            ("authentication_record", "disable_automatic_authentication"),
            automatic=not disable_automatic_authentication,
        )
        if not username or not password:
            raise ValueError(f"{self._who} requires a user name and a password, but one of them is empty.")
        self._username = username
        self._password = password

    async def _ask_person(self, io: FlowIO, ask: TokenRequest) -> Granted:
        from .._protocols.users import anchor, password_form, user_scopes

        form = password_form(self._client_id, user_scopes(ask.scopes), self._username, self._password)
        return await self._exchange(io, ask, form, anchor(self._username))

    def _secrets(self) -> tuple[str, ...]:
        return (self._password,)


@public("UsernamePasswordCredential")
class UsernamePasswordCredential(UsernamePasswordFlow, SyncSignIn, SyncCredential):
    __doc__ = UsernamePasswordFlow.__doc__


@public("UsernamePasswordCredential", AIO)
class AsyncUsernamePasswordCredential(UsernamePasswordFlow, AsyncSignIn, AsyncCredential):
    __doc__ = UsernamePasswordFlow.__doc__
