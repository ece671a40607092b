"""The managed identity of the Azure host a program runs on. On the wire: what the host's own file says.

`detect` tells which host that is, from the environment, once, when the credential is made: `imds.py`, `app_service.py`,
`azure_arc.py`, `service_fabric.py`, `cloud_shell.py` or `azure_ml.py`. Where Kubernetes workload identity is set up,
`WorkloadIdentityCredential` does the work.

Tokens belong to the host, not to the object a program happens to make: all credentials of a process, sync and async,
that ask the same host for the same identity share them, and one request serves them all. A credential with a transport,
session or policies of its own shares nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Mapping, Optional

from .._cache.memory import TokenCache, TokenKey
from .._flows.flow import Flow, split_options
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._hosts.host import Errand, Findings, Host, NoSuchIdentity
from .._outside.flights import FlightTable
from .._protocols.identities import (
    CLIENT_ID,
    EITHER_ID,
    OBJECT_ID,
    Identity,
    configured_identity,
    identity_of_any_kind,
)
from .._protocols.scopes import resource_of, validate_scopes
from .._values import settings

if TYPE_CHECKING:
    from typing import Hashable

    from typing_extensions import Unpack

    from .._cache.memory import Entry
    from .._outside.port import FlowIO
    from .._values.messages import Token, TokenRequest
    from .._values.settings import CredentialOptions

_LOGGER = logging.getLogger(__name__)

SERVICE_FABRIC, APP_SERVICE, AZURE_ARC, NOWHERE, AZURE_ML, CLOUD_SHELL, WORKLOAD_IDENTITY, IMDS = (
    "service fabric",
    "app service",
    "azure arc",
    "nowhere",
    "azure ml",
    "cloud shell",
    "workload identity",
    "imds",
)


def detect(environ: Optional[Mapping[str, str]] = None) -> str:
    """Which host this is. The first line that fits decides; blank variables count as unset."""

    def has(*names: str) -> bool:
        return all(settings.read(name, environ) is not None for name in names)

    if has(settings.IDENTITY_ENDPOINT):
        if has(settings.IDENTITY_HEADER, settings.IDENTITY_SERVER_THUMBPRINT):
            return SERVICE_FABRIC
        if has(settings.IDENTITY_HEADER):
            return APP_SERVICE
        return AZURE_ARC if has(settings.IMDS_ENDPOINT) else NOWHERE
    if has(settings.MSI_ENDPOINT):
        return AZURE_ML if has(settings.MSI_SECRET) else CLOUD_SHELL
    if has(settings.AUTHORITY_HOST, settings.TENANT_ID, settings.FEDERATED_TOKEN_FILE):
        return WORKLOAD_IDENTITY
    return IMDS


# What all credentials of the process share. One table of flights for each face: a blocking call that waited for a task
# of the event loop it blocks would wait for ever.
_tokens = TokenCache()
_flights = {"azure.identity": FlightTable(), AIO: FlightTable()}
_findings = Findings()

_OF_ONE_CREDENTIAL = ("transport", "session")


def _is_private(options: Mapping[str, Any]) -> bool:
    """Whether a user's own objects take part in the requests, so that answers are not everybody's."""
    return any(
        value is not None and (name in _OF_ONE_CREDENTIAL or name.endswith(("policy", "policies")))
        for name, value in options.items()
    )


class ManagedIdentityFlow(Flow):
    """Authenticates as the managed identity of the Azure host the program runs on.

    Virtual machines and what runs on them (scale sets, Container Instances, AKS nodes), App Service, Functions,
    Container Apps, Automation, Azure Arc, Service Fabric, Azure Machine Learning, Cloud Shell, and pods with Kubernetes
    workload identity. The host is told by environment variables, which are read once, here; without any of them the
    instance metadata service (IMDS) is asked.

    Without an id, the system-assigned identity is used. An empty id is no id.

    :keyword str client_id: client id of a user-assigned identity.
    :keyword str object_id: object (principal) id of a user-assigned identity.
    :keyword str resource_id: resource id of a user-assigned identity, `/subscriptions/...`.
    :keyword identity_config: the same as a mapping with one of the keys `client_id`, `object_id` and `resource_id`.
        Other keys are sent to the host as they are.
    :paramtype identity_config: Mapping[str, str]
    :raises ValueError: more than one id is given, or the host has no identities to choose from (Cloud Shell), or
        workload identity is set up without a client id.
    :raises TypeError: an argument has the wrong type, or an identity keyword looks misspelt.

    A host that answers with another identity than the one asked for is refused. Service Fabric knows object ids only,
    Azure Machine Learning client ids only; other ids are refused there before a request is made.

    All keywords of an azure-core pipeline (`transport`, `retry_total`, `logging_enable`, ...) are accepted too;
    `timeout` bounds all attempts together (seconds). Requests to the host never pass through a proxy.
    """

    _transient = (*Flow._transient, "_findings_", "_place")
    _findings_: Optional[Findings] = None
    _place: Optional[tuple[str, str]] = None
    _shares = True

    def __init__(
        self,
        *,
        client_id: Optional[str] = None,
        object_id: Optional[str] = None,
        resource_id: Optional[str] = None,
        identity_config: Optional[Mapping[str, str]] = None,
        **options: Unpack[CredentialOptions],
    ) -> None:
        given: dict[str, Any] = dict(options)
        # From DefaultAzureCredential: that it made this credential; whether workload identity is left to its own
        # member; whether to look for IMDS first (None: inside a chain); and an id whose kind its user did not say.
        in_default_chain = bool(given.pop("_in_default_chain", False))
        skip_workload_identity = bool(given.pop("_exclude_workload_identity_credential", False))
        probe: Optional[bool] = given.pop("_enable_imds_probe", None)
        any_id: Optional[str] = given.pop("_any_id", None)
        if "enable_azure_proxy" in given:
            raise TypeError(
                f"{self._who}() does not support identity bindings: use "
                "WorkloadIdentityCredential(enable_azure_proxy=True)."
            )
        own, pipeline = split_options(
            self._who, given, ("client_id", "object_id", "resource_id", "identity_config", "enable_azure_proxy")
        )
        identity = configured_identity(client_id, object_id, resource_id, identity_config)
        if any_id and not identity.kind:
            identity = identity_of_any_kind(any_id)._replace(others=identity.others)
        where = detect()
        if where == WORKLOAD_IDENTITY and skip_workload_identity:
            where = IMDS
        self._shares = not _is_private(pipeline)
        self._host = self._make_host(where, in_default_chain, pipeline, probe)
        self._credential: Any = self._host
        """What does the work: a host, or a WorkloadIdentityCredential."""
        if self._host is not None:
            self._identity = self._host.settle(identity, in_default_chain)
            pipeline = {**self._host.pipeline_defaults, **pipeline}
        else:
            self._identity = identity
            self._credential = self._workload_identity(identity, {**own, **pipeline})
        self._pipeline_options = pipeline
        label = self._host.label if self._host is not None else "workload identity"
        shown = self._identity.shown
        _LOGGER.info("%s will use %s%s", self._who, label, f" with {shown}" if shown else "")

    def _make_host(
        self, where: str, in_default_chain: bool, options: Mapping[str, Any], probe: Optional[bool]
    ) -> Optional[Host]:
        if where == IMDS:
            from .._hosts.imds import ImdsHost

            return ImdsHost(self._who, settings.read(settings.POD_IDENTITY_AUTHORITY_HOST), options, probe)

        def value(name: str) -> str:
            return settings.read(name) or ""

        endpoint, secret = value(settings.IDENTITY_ENDPOINT), value(settings.IDENTITY_HEADER)
        if where == SERVICE_FABRIC:
            from .._hosts.service_fabric import ServiceFabricHost

            thumbprint = value(settings.IDENTITY_SERVER_THUMBPRINT)
            return ServiceFabricHost(self._who, endpoint, options, secret, thumbprint)
        if where == APP_SERVICE:
            from .._hosts.app_service import AppServiceHost

            return AppServiceHost(self._who, endpoint, options, secret)
        if where == AZURE_ARC:
            from .._hosts.azure_arc import AzureArcHost

            return AzureArcHost(self._who, endpoint, options)
        if where == AZURE_ML:
            from .._hosts.azure_ml import AzureMLHost

            return AzureMLHost(self._who, value(settings.MSI_ENDPOINT), options, value(settings.MSI_SECRET))
        if where == CLOUD_SHELL:
            from .._hosts.cloud_shell import CloudShellHost

            return CloudShellHost(self._who, value(settings.MSI_ENDPOINT), options)
        if where == NOWHERE:
            return NoHost(
                self._who,
                f"no managed identity endpoint found: {settings.IDENTITY_ENDPOINT} is set, but neither "
                f"{settings.IDENTITY_HEADER} (App Service) nor {settings.IMDS_ENDPOINT} (Azure Arc). See "
                "https://aka.ms/azsdk/python/identity/managedidentitycredential/troubleshoot",
            )
        assert where == WORKLOAD_IDENTITY, where
        if not in_default_chain:
            return None
        # The chain's own member for it was asked before. Should it not be able to try, the identity of the Kubernetes
        # node would be a surprise, not a replacement.
        return NoHost(
            self._who,
            "workload identity is set up here, which WorkloadIdentityCredential takes care of. To use the managed "
            "identity of the node instead, leave that member out (exclude_workload_identity_credential=True).",
        )

    def _workload_identity(self, identity: Identity, options: Mapping[str, Any]) -> Any:
        if identity.kind not in ("", CLIENT_ID) or identity.others:
            raise ValueError(
                f"{self._who}: workload identity is set up here ({settings.FEDERATED_TOKEN_FILE}), and it knows client "
                f"ids only: {identity} cannot be used. Give its client_id."
            )
        client_id = identity.value or settings.read(settings.CLIENT_ID)
        if client_id is None:
            raise ValueError(
                f"{self._who}: workload identity is set up here ({settings.FEDERATED_TOKEN_FILE}), but no client ID "
                f"was provided: give client_id, or set {settings.CLIENT_ID}."
            )
        return self._sibling("WorkloadIdentityCredential")(client_id=client_id, **options)

    # --- what is shared

    @property
    def _cache(self) -> TokenCache:
        return _tokens if self._shares else super()._cache

    @property
    def _flights(self) -> FlightTable:
        return _flights[self._package] if self._shares else super()._flights

    @property
    def _findings(self) -> Findings:
        if self._shares:
            return _findings
        return self._findings_ or self.__dict__.setdefault("_findings_", Findings())

    def _check(self, ask: TokenRequest) -> None:
        if self._host is None:
            self._credential._check(ask)
            return
        if isinstance(self._host, NoHost):
            self._host.check(self._identity)
        validate_scopes(ask.scopes, ask.method)
        resource_of(ask.scopes)

    def _key(self, ask: TokenRequest) -> Optional[TokenKey]:
        host = self._host
        if host is None:
            return None
        place = self._place
        if place is None:
            import hashlib

            # Whoever has another secret is somebody else, and keys are no place for secrets.
            secret = hashlib.sha256(host.secret.encode("utf-8")).hexdigest() if host.secret else ""
            place = self._place = (f"{host.kind} {host.endpoint}", secret)
        scopes = (resource_of(ask.scopes),)
        return TokenKey(place[0], "", self._identity.key, place[1], scopes, ask.cae and host.capabilities)

    def _flight(self, ask: TokenRequest, key: Optional[TokenKey]) -> Hashable:
        # A chain gives IMDS up after a second; whoever has nothing else does not share that failure.
        hasty = bool(getattr(self._host, "probes", None) and self._host.probes(ask))  # type: ignore[union-attr]
        return (super()._flight(ask, key), hasty)

    # --- the way to a token

    async def _answer(self, io: FlowIO, ask: TokenRequest) -> Entry:
        if self._host is None:
            entry: Entry = await io.call(self._credential._token, ask)
            return entry
        return await super()._answer(io, ask)

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        host = self._host
        if host is None:
            raise AssertionError("workload identity answers by itself")
        cached = self._cache.get(key) if ask.claims and (key := self._key(ask)) is not None else None
        rejected = cached.token.token if cached is not None else None
        errand = Errand(ask, resource_of(ask.scopes), self._identity, self._findings, rejected)
        try:
            if self._identity.kind == EITHER_ID:
                return await self._as_either(io, host, errand)
            return await host.acquire(io, errand)
        except NoSuchIdentity as refusal:
            raise refusal.error from None

    async def _as_either(self, io: FlowIO, host: Host, errand: Errand) -> Token:
        """Ask for an identity whose id may be a client id or an object id: as the former, unless the host knows no
        such client."""
        value = errand.identity.value
        place = (host.kind + host.endpoint, value.lower())
        kinds = [kind for kind in (CLIENT_ID, OBJECT_ID) if kind in host.ids]
        known = errand.findings.kinds.get(place)
        if known is not None or len(kinds) == 1:
            identity = errand.identity._replace(kind=known or kinds[0])
            return await host.acquire(io, errand._replace(identity=identity))
        try:
            token = await host.acquire(io, errand._replace(identity=errand.identity._replace(kind=CLIENT_ID)))
            errand.findings.kinds[place] = CLIENT_ID
        except NoSuchIdentity as refusal:
            try:
                token = await host.acquire(io, errand._replace(identity=errand.identity._replace(kind=OBJECT_ID)))
            except NoSuchIdentity:
                error: Any = refusal.error
                error.message += f" (Nor is there one with object id {value!r}.)"
                raise error from None
            errand.findings.kinds[place] = OBJECT_ID
            _LOGGER.info("%s: %s is not a client id of this host's identities, but an object id", self._who, value)
        return token

    async def _open(self, io: FlowIO) -> None:
        await (io.enter(self._credential) if self._host is None else io.open())

    async def _close(self, io: FlowIO, *exc: Any) -> None:
        await (io.leave(self._credential, *exc) if self._host is None else io.close(*exc))


class NoHost(Host):
    """Says why no host is asked."""

    kind = "none"
    label = "no managed identity"
    name = "no host"

    def __init__(self, who: str, reason: str) -> None:
        super().__init__(who, "", {})
        self._reason = reason

    def check(self, identity: Identity) -> None:
        raise self.unavailable(self._reason)


def _forget() -> None:
    """For tests: forget what holds for the process."""
    _tokens.clear()
    _findings.probes.clear()
    _findings.kinds.clear()


@public("ManagedIdentityCredential")
class ManagedIdentityCredential(ManagedIdentityFlow, SyncCredential):
    __doc__ = ManagedIdentityFlow.__doc__


@public("ManagedIdentityCredential", AIO)
class AsyncManagedIdentityCredential(ManagedIdentityFlow, AsyncCredential):
    __doc__ = ManagedIdentityFlow.__doc__
