"""A service connection of Azure Pipelines.

On the wire: one request to Azure DevOps for an OIDC token, then one client credentials grant with it as assertion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._flows.build_agent import BuildAgentFlow
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._values import settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._outside.port import FlowIO
    from .._values.messages import Token, TokenRequest
    from .._values.settings import CredentialOptions


class AzurePipelinesFlow(BuildAgentFlow):
    """Authenticates as a service connection of Azure Pipelines, by workload identity federation.

    The pipeline must map its access token to a variable: `SYSTEM_ACCESSTOKEN: $(System.AccessToken)`. A new OIDC token
    is requested for every new access token.

    :keyword str tenant_id: id or domain name of the service connection's tenant.
    :keyword str client_id: application (client) id of the service connection.
    :keyword str service_connection_id: id of the service connection, as in its URL (`resourceId=`).
    :keyword str system_access_token: the pipeline's access token, `os.environ["SYSTEM_ACCESSTOKEN"]`.
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

    Outside a pipeline (`SYSTEM_OIDCREQUESTURI` is not set) requests raise `CredentialUnavailableError`. All keywords of
    an azure-core pipeline (`transport`, `proxies`, `retry_total`, `logging_enable`, ...) are accepted too.
    """

    _agent = "Azure Pipelines"
    _help = "azure-pipelines"

    def __init__(
        self,
        *,
        tenant_id: str,
        client_id: str,
        service_connection_id: str,
        system_access_token: str,
        **options: Unpack[CredentialOptions],
    ) -> None:
        given = {
            "tenant_id": tenant_id,
            "client_id": client_id,
            "service_connection_id": service_connection_id,
            "system_access_token": system_access_token,
        }
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise ValueError(f"{self._who} requires non-empty values for: {', '.join(missing)}.")
        super().__init__(tenant_id, client_id, options, ("service_connection_id", "system_access_token"))
        self._service_connection_id = service_connection_id
        self._system_access_token = system_access_token

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._protocols.build_agents import endpoint_problem, pipelines_request

        uri = settings.read(settings.PIPELINES_OIDC_URI) or ""
        problem = endpoint_problem(uri)
        if problem is not None:
            raise self._not_here(
                f"{settings.PIPELINES_OIDC_URI} {problem}",
                "in Azure Pipelines only, in a task that refers to the service connection",
            )
        request = pipelines_request(uri, self._service_connection_id, self._system_access_token)
        advice = (
            "Make sure that system_access_token is the pipeline's System.AccessToken, and that the stage refers to the "
            f"service connection {self._service_connection_id}."
        )
        return await self._exchange_agents(io, ask, request, "oidcToken", advice)

    def _secrets(self) -> tuple[str, ...]:
        return (self._system_access_token,)


@public("AzurePipelinesCredential")
class AzurePipelinesCredential(AzurePipelinesFlow, SyncCredential):
    __doc__ = AzurePipelinesFlow.__doc__


@public("AzurePipelinesCredential", AIO)
class AsyncAzurePipelinesCredential(AzurePipelinesFlow, AsyncCredential):
    __doc__ = AzurePipelinesFlow.__doc__
