"""A workload in Kubernetes that proves itself with its service account's token. On the wire: one client credentials
grant with that token as assertion, to Microsoft Entra ID or, with an identity binding, to the cluster's token proxy."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Optional

from .._errors.help import help_link
from .._flows.entra import EntraFlow
from .._flows.flow import NotConfigured
from .._flows.twins import AIO, public
from .._outside.port import read_file
from .._protocols.authority import token_endpoint
from .._values import settings
from .._values.messages import Tls, Unreadable
from .client_assertion import AsyncClientAssertionCredential, ClientAssertionCredential

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._errors.errors import AuthenticationFailedError
    from .._outside.port import FlowIO
    from .._protocols.entra import Refusal
    from .._protocols.identity_binding import IdentityBinding
    from .._protocols.workload_identity import FederatedToken
    from .._values.messages import Response, Token, TokenRequest, Unreachable
    from .._values.settings import CredentialOptions

_LOGGER = logging.getLogger(__name__)

OUTSIDE_VALIDITY = 700024
"""AADSTS700024: "Client assertion is not within its valid time range." ("Microsoft identity platform error codes")"""

_VARIABLES = {
    "tenant_id": settings.TENANT_ID,
    "client_id": settings.CLIENT_ID,
    "token_file_path": settings.FEDERATED_TOKEN_FILE,
}


class WorkloadIdentityFlow(EntraFlow):
    """Authenticates a workload in Kubernetes by workload identity federation.

    In Azure Kubernetes Service, pods with the label `azure.workload.identity/use: "true"` are given everything this
    needs by environment variables. The token file is read for each token that is requested, since the cluster replaces
    it before it expires.

    :keyword str tenant_id: id or domain name of the application's tenant. Default: `AZURE_TENANT_ID`.
    :keyword str client_id: client id of the application or user-assigned managed identity. Default: `AZURE_CLIENT_ID`.
    :keyword str token_file_path: path of the file with the service account's token. Default:
        `AZURE_FEDERATED_TOKEN_FILE`.
    :keyword bool enable_azure_proxy: use the cluster's token proxy (an AKS identity binding), if
        `AZURE_KUBERNETES_TOKEN_PROXY` names one. `AZURE_KUBERNETES_SNI_NAME` is the name it is known by, and
        `AZURE_KUBERNETES_CA_FILE` or `AZURE_KUBERNETES_CA_DATA` has the only certificates to trust then. A `transport`,
        `session`, `connection_verify` or `connection_cert` does not apply to requests to it. Default: False.
    :keyword str authority: host of the authority, such as `AzureAuthorityHosts.AZURE_CHINA`. Default:
        `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword bool disable_instance_discovery: trust an authority that Microsoft does not know, such as a private
        cloud's. Default: False.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword cache_persistence_options: where tokens are kept beyond the process. Default: in memory only.
    :paramtype cache_persistence_options: ~azure.identity.TokenCachePersistenceOptions
    :raises ValueError: one of the first three is neither given nor set, or an argument or variable is malformed.
    :raises TypeError: an identity keyword looks misspelt.

    All keywords of an azure-core pipeline (`transport`, `proxies`, `retry_total`, `logging_enable`, ...) are accepted
    too. A token file that is missing or holds no token makes a request raise `CredentialUnavailableError`.

    Source of the grant: RFC 7523, section 2.2.
    """

    _regional = True

    def __init__(
        self,
        *,
        tenant_id: Optional[str] = None,
        client_id: Optional[str] = None,
        token_file_path: Optional[str] = None,
        enable_azure_proxy: bool = False,
        **options: Unpack[CredentialOptions],
    ) -> None:
        parameters = (*_VARIABLES, "enable_azure_proxy")
        ignored = settings.check_unknown(self._who, options, parameters)
        kept: dict[str, Any] = {name: value for name, value in options.items() if name not in ignored}
        tenant, client, path = (
            given or settings.read(variable)
            for given, variable in zip((tenant_id, client_id, token_file_path), _VARIABLES.values())
        )
        if not tenant or not client or not path:
            raise NotConfigured(_missing(self._who, tenant_id=tenant, client_id=client, token_file_path=path))
        EntraFlow.__init__(self, tenant, client, kept, parameters)  # not super(): the next class has a callback
        self._token_file = os.fspath(path)
        self._binding: Optional[IdentityBinding] = None
        self._ca_pem: Optional[str] = None
        if enable_azure_proxy:
            from .._protocols.identity_binding import configured_binding

            self._binding = configured_binding()
        if self._binding is not None:
            self._ca_pem = self._binding.ca_data or _first_authorities(self._binding.ca_file)

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._errors.errors import AuthenticationFailedError

        token = await self._federated_token(io)
        if token.expired(io.now()):
            token = await self._federated_token(io)  # the cluster may be replacing it just now
        try:
            return await self._redeem_federated(io, ask, token)
        except AuthenticationFailedError as error:
            if OUTSIDE_VALIDITY not in error.error_codes:
                raise
            newer = await self._federated_token(io)
            if newer.text == token.text:
                raise
        return await self._redeem_federated(io, ask, newer)

    async def _redeem_federated(self, io: FlowIO, ask: TokenRequest, token: FederatedToken) -> Token:
        from .._protocols.entra import assertion_proof, client_credentials

        return await self._redeem(io, ask, client_credentials(self._client_id, ask.scopes, assertion_proof(token.text)))

    async def _federated_token(self, io: FlowIO) -> FederatedToken:
        from .._protocols.workload_identity import NotAToken, parse_federated_token

        problem: str
        cause: Exception
        try:
            return parse_federated_token(await io.read(self._token_file))
        except Unreadable as error:
            problem, cause = f"the token file cannot be read ({error})", error
        except NotAToken as error:
            problem, cause = f"the token file {self._token_file} {error}", error
        raise self._unavailable(
            f"{self._who} authentication unavailable: {problem}. In Azure Kubernetes Service the file is put into pods "
            'with the label azure.workload.identity/use: "true" when they are created; elsewhere, make sure that '
            f"token_file_path or {settings.FEDERATED_TOKEN_FILE} names the file with the service account's token. "
            f"{help_link('workload-identity')}"
        ) from cause

    # --- identity bindings ---

    async def _token_endpoint(self, io: FlowIO, tenant: str) -> str:
        if self._binding is None:
            return await super()._token_endpoint(io, tenant)
        from .._protocols.identity_binding import through_proxy

        # The proxy knows its authority by itself, so there is none to confirm, and no region.
        return through_proxy(token_endpoint(self._authority, tenant), self._binding.proxy)

    async def _post(self, io: FlowIO, request: Any) -> Response:
        if self._binding is not None:
            request = request._replace(tls=Tls(None, self._binding.server_name, await self._authorities(io)))
        return await super()._post(io, request)

    async def _authorities(self, io: FlowIO) -> Optional[str]:
        """The certificates to trust now. A file that cannot be used, because it is just being replaced, say, leaves
        those that could be used last."""
        path = self._binding.ca_file if self._binding is not None else None
        if path is not None:
            from .._protocols.identity_binding import certificates

            try:
                self._ca_pem = certificates((await io.read(path)).decode("utf-8", "replace"))
            except Unreadable as error:
                _LOGGER.warning("%s goes on with the authorities it had: %s", self._who, error)
            except ValueError as error:
                _LOGGER.warning("%s goes on with the authorities it had: %s %s", self._who, path, error)
        return self._ca_pem

    # --- errors ---

    def _unreachable(self, error: Unreachable) -> AuthenticationFailedError:
        if self._binding is None:
            return super()._unreachable(error)
        names = {
            "tls": f"its certificate must be for {settings.KUBERNETES_SNI_NAME} and come from the authorities in "
            f"{settings.KUBERNETES_CA_FILE} or {settings.KUBERNETES_CA_DATA}",
        }.get(error.kind, f"it must be reachable from this pod at {settings.KUBERNETES_TOKEN_PROXY}")
        return self._failed(
            f"{self._who}: the cluster's token proxy {error.url} cannot be reached: {error.reason}. Check the identity "
            f"binding of the cluster: {names}. {help_link('identity-binding')}"
        )

    def _assertion_facts(self, refusal: Refusal, assertion: str, now: int) -> str:
        from .._protocols.workload_identity import BINDING_AUDIENCE, read_assertion

        facts = super()._assertion_facts(refusal, assertion, now)
        token = read_assertion(assertion)
        if facts and token is not None and token.audience == BINDING_AUDIENCE and self._binding is None:
            return (
                f"{facts} Tokens for this audience are for the token proxy of an identity binding: create the "
                f"credential with enable_azure_proxy=True, and make sure that {settings.KUBERNETES_TOKEN_PROXY} is set."
            )
        return facts

    def _assertion_name(self) -> str:
        return f"The token in {self._token_file}"


def _missing(owner: str, **given: Optional[str]) -> str:
    missing = [name for name, value in given.items() if not value]
    return (
        f"{owner} authentication unavailable. Missing required arguments: "
        f"{', '.join(repr(name) for name in missing)}. Give them, or set "
        f"{', '.join(_VARIABLES[name] for name in missing)}. In Azure Kubernetes Service they are set in pods with the "
        'label azure.workload.identity/use: "true".'
    )


def _first_authorities(path: Optional[str]) -> Optional[str]:
    """The certificates in the file, which must be there from the beginning."""
    if path is None:
        return None
    from .._protocols.identity_binding import certificates

    try:
        return certificates(read_file(path, 1_000_000, follow_links=True).decode("utf-8", "replace"))
    except Unreadable as error:
        raise ValueError(f"{settings.KUBERNETES_CA_FILE}: the file cannot be read ({error}).") from None
    except ValueError as error:
        raise ValueError(f"{settings.KUBERNETES_CA_FILE}: {path} {error}.") from None


@public("WorkloadIdentityCredential")
class WorkloadIdentityCredential(WorkloadIdentityFlow, ClientAssertionCredential):
    __doc__ = WorkloadIdentityFlow.__doc__


@public("WorkloadIdentityCredential", AIO)
class AsyncWorkloadIdentityCredential(WorkloadIdentityFlow, AsyncClientAssertionCredential):
    __doc__ = WorkloadIdentityFlow.__doc__
