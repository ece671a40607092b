"""A service principal that proves itself with assertions a callback provides. On the wire: one client credentials
grant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Awaitable, Callable, Union

from .._errors.help import help_link
from .._flows.entra import EntraFlow
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._outside.port import FlowIO
    from .._values.messages import Token, TokenRequest
    from .._values.settings import CredentialOptions


class ClientAssertionFlow(EntraFlow):
    """Authenticates a service principal with assertions from a callback, such as tokens of a federated identity
    provider.

    :param str tenant_id: id or domain name of the service principal's tenant.
    :param str client_id: the service principal's application (client) id.
    :param func: called without arguments, whenever a new token is requested; returns the assertion, a `str`. In
        `azure.identity.aio` it may also be a coroutine function. What it raises reaches the caller unchanged.
    :paramtype func: Callable[[], str]
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
    :raises TypeError: `func` cannot be called, or an identity keyword looks misspelt.

    All keywords of an azure-core pipeline (`transport`, `proxies`, `retry_total`, `logging_enable`, ...) are accepted
    too.

    Source of the grant: RFC 7523, section 2.2.
    """

    _regional = True

    def __init__(
        self,
        tenant_id: str,
        client_id: str,
        func: Callable[[], Union[str, Awaitable[str]]],
        **options: Unpack[CredentialOptions],
    ) -> None:
        super().__init__(tenant_id, client_id, options)
        if not callable(func):
            raise TypeError(f"func must be a function that returns an assertion, but it is {type(func).__name__}.")
        self._func = func

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._protocols.entra import assertion_proof, client_credentials

        assertion = await io.call(self._func)
        if not isinstance(assertion, str) or not assertion:
            what = "an empty string" if assertion == "" else f"{type(assertion).__name__}"
            raise self._failed(
                f"{self._who}: the callback 'func' must return the assertion as a non-empty str, but it returned "
                f"{what}. "
                f"{help_link('assertion-callback')}"
            )
        return await self._redeem(io, ask, client_credentials(self._client_id, ask.scopes, assertion_proof(assertion)))


@public("ClientAssertionCredential")
class ClientAssertionCredential(ClientAssertionFlow, SyncCredential):
    __doc__ = ClientAssertionFlow.__doc__


@public("ClientAssertionCredential", AIO)
class AsyncClientAssertionCredential(ClientAssertionFlow, AsyncCredential):
    __doc__ = ClientAssertionFlow.__doc__
