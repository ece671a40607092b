"""A service principal with a client secret. On the wire: one client credentials grant with the secret in its body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._flows.entra import EntraFlow
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._outside.port import FlowIO
    from .._values.messages import Token, TokenRequest
    from .._values.settings import CredentialOptions


class ClientSecretFlow(EntraFlow):
    """Authenticates a service principal with a client secret.

    :param str tenant_id: id or domain name of the service principal's tenant.
    :param str client_id: the service principal's application (client) id.
    :param str client_secret: one of its client secrets.
    :keyword str authority: host of the authority, such as `AzureAuthorityHosts.AZURE_CHINA`. Default:
        `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword bool disable_instance_discovery: trust an authority that Microsoft does not know, such as a private
        cloud's. Default: False.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword cache_persistence_options: where tokens are kept beyond the process. Default: in memory only.
    :paramtype cache_persistence_options: ~azure.identity.TokenCachePersistenceOptions
    :raises ValueError: an argument is empty or malformed.
    :raises TypeError: an identity keyword looks misspelt.

    All keywords of an azure-core pipeline (`transport`, `proxies`, `retry_total`, `logging_enable`, ...) are accepted
    too.

    Source of the grant: "Microsoft identity platform and the OAuth 2.0 client credentials flow".
    """

    _regional = True

    def __init__(
        self, tenant_id: str, client_id: str, client_secret: str, **options: Unpack[CredentialOptions]
    ) -> None:
        super().__init__(tenant_id, client_id, options)
        if not client_secret:
            raise ValueError("client_secret must be a client secret of the application, but it is empty.")
        self._secret = client_secret

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._protocols.entra import client_credentials, secret_proof

        return await self._redeem(io, ask, client_credentials(self._client_id, ask.scopes, secret_proof(self._secret)))

    def _secrets(self) -> tuple[str, ...]:
        return (self._secret,)


@public("ClientSecretCredential")
class ClientSecretCredential(ClientSecretFlow, SyncCredential):
    __doc__ = ClientSecretFlow.__doc__


@public("ClientSecretCredential", AIO)
class AsyncClientSecretCredential(ClientSecretFlow, AsyncCredential):
    __doc__ = ClientSecretFlow.__doc__
