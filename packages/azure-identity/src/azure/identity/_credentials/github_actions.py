"""A job of GitHub Actions.

On the wire: one request to GitHub for an OIDC token, then one client credentials grant with it as assertion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .._flows.build_agent import BuildAgentFlow
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._values import settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._outside.port import FlowIO
    from .._values.messages import Token, TokenRequest
    from .._values.settings import CredentialOptions


class GitHubActionsFlow(BuildAgentFlow):
    """Authenticates as an application that trusts a GitHub Actions workflow, by workload identity federation.

    GitHub's OIDC tokens live five minutes. Signing in once with such a token therefore fails in longer runs; this
    credential asks for a new one whenever it needs a new access token. The job needs `permissions: id-token: write`,
    and the application a federated credential for the repository.

    :keyword str tenant_id: id or domain name of the application's tenant. Default: `AZURE_TENANT_ID`.
    :keyword str client_id: application (client) id. Default: `AZURE_CLIENT_ID`.
    :keyword str audience: audience of the OIDC token, as in the federated credential. Default:
        `api://AzureADTokenExchange`.
    :keyword str authority: host of the authority, such as `AzureAuthorityHosts.AZURE_CHINA`. Default:
        `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword bool disable_instance_discovery: trust an authority that Microsoft does not know. Default: False.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword cache_persistence_options: where tokens are kept beyond the process. Default: in memory only.
    :paramtype cache_persistence_options: ~azure.identity.TokenCachePersistenceOptions
    :raises ValueError: an argument is missing or malformed.
    :raises TypeError: an identity keyword looks misspelt.

    Outside such a job requests raise `CredentialUnavailableError`. All keywords of an azure-core pipeline (`transport`,
    `proxies`, `retry_total`, `logging_enable`, ...) are accepted too.

    The published package has no such class.
    """

    _agent = "GitHub Actions"
    _help = "github-actions"

    def __init__(
        self,
        *,
        tenant_id: Optional[str] = None,
        client_id: Optional[str] = None,
        audience: Optional[str] = None,
        **options: Unpack[CredentialOptions],
    ) -> None:
        from .._protocols.build_agents import EXCHANGE_AUDIENCE

        tenant = tenant_id or settings.read(settings.TENANT_ID)
        client = client_id or settings.read(settings.CLIENT_ID)
        missing = [
            f"{name} (or {variable})"
            for name, variable, value in (
                ("tenant_id", settings.TENANT_ID, tenant),
                ("client_id", settings.CLIENT_ID, client),
            )
            if not value
        ]
        if missing:
            raise ValueError(f"{self._who} requires {' and '.join(missing)}.")
        super().__init__(tenant or "", client or "", options, ("audience",))
        self._audience = audience or EXCHANGE_AUDIENCE

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._protocols.build_agents import endpoint_problem, github_request

        uri = settings.read(settings.GITHUB_OIDC_URI) or ""
        token = settings.read(settings.GITHUB_OIDC_TOKEN) or ""
        problem = endpoint_problem(uri)
        if problem is not None or not token:
            which = f"{settings.GITHUB_OIDC_URI} {problem}" if problem else f"{settings.GITHUB_OIDC_TOKEN} is not set"
            raise self._not_here(which, "in jobs of GitHub Actions that have 'permissions: id-token: write'")
        request = github_request(uri, token, self._audience)
        advice = "Make sure that the job has 'permissions: id-token: write' and still runs."
        return await self._exchange_agents(io, ask, request, "value", advice)

    def _secrets(self) -> tuple[str, ...]:
        return (settings.read(settings.GITHUB_OIDC_TOKEN) or "",)


@public("GitHubActionsCredential")
class GitHubActionsCredential(GitHubActionsFlow, SyncCredential):
    __doc__ = GitHubActionsFlow.__doc__


@public("GitHubActionsCredential", AIO)
class AsyncGitHubActionsCredential(GitHubActionsFlow, AsyncCredential):
    __doc__ = GitHubActionsFlow.__doc__
