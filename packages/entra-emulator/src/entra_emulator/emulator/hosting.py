"""The part of `EntraEmulator` that is about hosts: managed identities seen from inside, and federated tokens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    List,
    Literal,
    Mapping,
    Optional,
    Tuple,
    overload,
)

from ..directory.directory import TOKEN_EXCHANGE_AUDIENCE
from ..endpoints.server import BackgroundServer
from ..hosts.host import Host, Site
from ..hosts.identities import ManagedIdentity
from ..hosts.registry import make_host
from ..tokens.federation import DEFAULT_ISSUER, DEFAULT_SUBJECT, issuer_url, sign_federated_token
from ..values.clock import Clock
from . import environment as environments
from .directories import Directories

if TYPE_CHECKING:
    from ..hosts.app_service import AppService2017Host, AppServiceHost
    from ..hosts.arc import ArcHost
    from ..hosts.azure_ml import AzureMlHost
    from ..hosts.cloud_shell import CloudShellHost
    from ..hosts.identity_binding import IdentityBindingHost
    from ..hosts.imds import ImdsHost
    from ..hosts.service_fabric import ServiceFabricHost
    from ..hosts.workload_identity import WorkloadIdentityHost


class Hosting(Directories):
    """Hosts with a managed identity, and issuers of federated tokens. A part of `EntraEmulator`."""

    managed_identity: ManagedIdentity
    _hosts: List[Host]
    _imds_address: Optional[Tuple[str, int]]

    # ---- hosts with a managed identity ----

    @overload
    def host(self, kind: Literal["imds"], **options: Any) -> ImdsHost: ...
    @overload
    def host(self, kind: Literal["app-service"], **options: Any) -> AppServiceHost: ...
    @overload
    def host(self, kind: Literal["app-service-2017"], **options: Any) -> AppService2017Host: ...
    @overload
    def host(self, kind: Literal["arc"], **options: Any) -> ArcHost: ...
    @overload
    def host(self, kind: Literal["service-fabric"], **options: Any) -> ServiceFabricHost: ...
    @overload
    def host(self, kind: Literal["cloud-shell"], **options: Any) -> CloudShellHost: ...
    @overload
    def host(self, kind: Literal["azure-ml"], **options: Any) -> AzureMlHost: ...
    @overload
    def host(self, kind: Literal["workload-identity"], **options: Any) -> WorkloadIdentityHost: ...
    @overload
    def host(self, kind: Literal["identity-binding"], **options: Any) -> IdentityBindingHost: ...
    @overload
    def host(self, kind: str, **options: Any) -> Host: ...

    def host(self, kind: str, **options: Any) -> Host:
        """A host of Azure as programs see it from inside: its environment variables, and what answers there.

        ::

            with entra.host("app-service", identities=[mine]) as host:
                ManagedIdentityCredential(client_id=mine.client_id).get_token(scope)

        :param kind: `imds`, `app-service`, `app-service-2017`, `arc`, `service-fabric`, `cloud-shell`, `azure-ml`,
            `workload-identity` or `identity-binding`.
        :keyword identities: the user-assigned managed identities. Default: none.
        :keyword system_assigned: whether it has the system-assigned one. Default: True.
        :keyword environ: what to change instead of `os.environ`.
        :return: the host, not open yet: use it in a `with` or `async with` block. Its class in `entra_emulator.hosts`
            documents further options and controls.
        :raises ValueError: no such kind, or an option that cannot be meant.
        :raises TypeError: an option the kind does not have.
        :raises RuntimeError: the emulator is not running.
        """
        trust = dict.fromkeys(environments.CA_VARIABLES, self.ca_bundle_file)
        site = Site(
            self._realm,
            self._running(),
            self._running_dir(),
            self.authority,
            self.tenant.id,
            self.managed_identity,
            {**trust, **environments.proxy_exception(os.environ)},
            self._imds_address,
        )
        host = make_host(kind, site, options)
        self._hosts = [one for one in self._hosts if one.is_open] + [host]
        return host

    # ---- federation ----

    def federation_issuer(self, name: str = DEFAULT_ISSUER) -> str:
        """The URL of an external issuer that the emulator hosts. Any name of letters and digits is served."""
        return issuer_url(self.authority, name)

    def federated_token(
        self,
        *,
        subject: str = DEFAULT_SUBJECT,
        audience: str = TOKEN_EXCHANGE_AUDIENCE,
        lifetime: int = 3600,
        issuer: Optional[str] = None,
        claims: Optional[Mapping[str, Any]] = None,
    ) -> str:
        """A token such as a Kubernetes cluster or a pipeline service gives its workloads.

        The default app trusts it as it is by default.

        :keyword lifetime: seconds; a negative one makes an expired token.
        :keyword issuer: default: `federation_issuer()`.
        :keyword claims: more claims; they win over the ordinary ones.
        """
        return sign_federated_token(
            self._realm.federation.key,
            issuer=issuer or self.federation_issuer(),
            subject=subject,
            audience=audience,
            now=self.clock.now(),
            lifetime=lifetime,
            claims=claims or {},
        )

    @property
    def clock(self) -> Clock:
        """What it takes for the time."""
        raise NotImplementedError

    @property
    def ca_bundle_file(self) -> str:
        """The CA bundle that clients need."""
        raise NotImplementedError

    def _running(self) -> BackgroundServer:
        raise NotImplementedError

    def _running_dir(self) -> Path:
        raise NotImplementedError
