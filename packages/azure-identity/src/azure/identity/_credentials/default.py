"""The default chain: whatever way to authenticate there is where the program runs.

`LINKS` is the chain, one row a member, in the order members are asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple, Optional, Sequence

from .._errors.help import help_link
from .._flows.flow import NotConfigured
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._values import settings
from .._values.messages import IN_DEFAULT_CHAIN
from .._values.redaction import redacted
from .chained import AsyncChainedTokenCredential, ChainedTokenCredential, ChainFlow

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._cache.memory import Entry
    from .._outside.port import FlowIO
    from .._persistence import TokenCachePersistenceOptions
    from .._values.messages import TokenRequest
    from .._values.settings import PipelineOptions

DEV, PROD = "dev", "prod"


class Link(NamedTuple):
    """One member of the default chain."""

    name: str
    """The credential's public name; in lower case also its name in AZURE_TOKEN_CREDENTIALS."""
    exclude: str
    """The keyword that leaves it out."""
    group: str
    """The group of AZURE_TOKEN_CREDENTIALS it belongs to; empty for none."""
    make: Callable[[DefaultAzureFlow], Any]
    """Makes the member, of the same face as the chain."""
    included: bool = True
    """Whether it is a member by default."""
    selectable: bool = True
    """Whether AZURE_TOKEN_CREDENTIALS may name it."""


LINKS: tuple[Link, ...] = (
    Link(
        "EnvironmentCredential",
        "exclude_environment_credential",
        PROD,
        lambda chain: chain._entra("EnvironmentCredential", _quiet=True),
    ),
    Link(
        "WorkloadIdentityCredential",
        "exclude_workload_identity_credential",
        PROD,
        lambda chain: chain._workload_identity(),
    ),
    Link(
        "ManagedIdentityCredential",
        "exclude_managed_identity_credential",
        PROD,
        lambda chain: chain._managed_identity(),
    ),
    Link(
        "SharedTokenCacheCredential",
        "exclude_shared_token_cache_credential",
        DEV,
        lambda chain: chain._shared_cache(),
        selectable=False,
    ),
    Link(
        "VisualStudioCodeCredential",
        "exclude_visual_studio_code_credential",
        DEV,
        lambda chain: chain._visual_studio_code(),
    ),
    Link("AzureCliCredential", "exclude_cli_credential", DEV, lambda chain: chain._tool("AzureCliCredential")),
    Link(
        "AzurePowerShellCredential",
        "exclude_powershell_credential",
        DEV,
        lambda chain: chain._tool("AzurePowerShellCredential"),
    ),
    Link(
        "AzureDeveloperCliCredential",
        "exclude_developer_cli_credential",
        DEV,
        lambda chain: chain._tool("AzureDeveloperCliCredential"),
    ),
    Link(
        "InteractiveBrowserCredential",
        "exclude_interactive_browser_credential",
        "",
        lambda chain: chain._interactive_browser(),
        included=False,
    ),
    Link("BrokerCredential", "exclude_broker_credential", DEV, lambda chain: chain._broker(), selectable=False),
)

_SELECTIONS = (DEV, PROD, *sorted(link.name.lower() for link in LINKS if link.selectable))
"""What AZURE_TOKEN_CREDENTIALS may be, in lower case."""
_TENANTS = (
    "workload_identity_tenant_id",
    "interactive_browser_tenant_id",
    "broker_tenant_id",
    "shared_cache_tenant_id",
    "visual_studio_code_tenant_id",
)
_FORBIDDEN = {
    "tenant_id": "name the tenant of each member: interactive_browser_tenant_id, shared_cache_tenant_id, "
    "workload_identity_tenant_id, ...",
    "client_id": "name the client of each member: managed_identity_client_id, workload_identity_client_id, ...",
    "object_id": "use managed_identity_client_id, which takes object ids too",
    "resource_id": "use managed_identity_client_id, which takes resource ids too",
    "username": "use shared_cache_username",
    "token_file_path": f"set {settings.FEDERATED_TOKEN_FILE}",
}


class _FromEnvironment:
    """The default of keywords whose absence, unlike None, means to look in the environment."""

    def __repr__(self) -> str:
        return "<from the environment>"


_ENV: Any = _FromEnvironment()


class DefaultAzureFlow(ChainFlow):
    """Authenticates in whatever way the program's surroundings offer: start here.

    Asks its members in order, and stays with the first that has a token:

    1. `EnvironmentCredential`: a service principal described by environment variables.
    2. `WorkloadIdentityCredential`: the service account of a workload in Kubernetes.
    3. `ManagedIdentityCredential`: the managed identity of the Azure host.
    4. `SharedTokenCacheCredential`: an account in the cache that developer tools share.
    5. `VisualStudioCodeCredential`: the account Visual Studio Code is signed in with.
    6. `AzureCliCredential`: the account the Azure CLI is signed in with.
    7. `AzurePowerShellCredential`: the account Azure PowerShell is signed in with.
    8. `AzureDeveloperCliCredential`: the account the Azure Developer CLI is signed in with.
    9. `InteractiveBrowserCredential`: a person who signs in in the web browser; only if it is asked for.
    10. the broker: the account the person is signed in to the system with, on Windows and WSL.

    A member that is not configured is passed over; one that is configured but refused ends the search, since another
    identity would be a surprise. Developer tools are the exception: when one fails, the next is asked. When no member
    could try, `CredentialUnavailableError` is raised, else `ClientAuthenticationError`; the message lists every member
    that was asked, and why it had no token.

    The environment variable `AZURE_TOKEN_CREDENTIALS` chooses members: `dev` (developer tools), `prod` (environment and
    Azure hosts), or the name of one, such as `AzureCliCredential`. The keywords `exclude_...` override it in both
    directions.

    :keyword str authority: host of the authority for all members, such as `AzureAuthorityHosts.AZURE_CHINA`. Default:
        `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword bool exclude_environment_credential: leave out `EnvironmentCredential`. Default: False.
    :keyword bool exclude_workload_identity_credential: leave out `WorkloadIdentityCredential`. Default: False.
    :keyword bool exclude_managed_identity_credential: leave out `ManagedIdentityCredential`. Default: False.
    :keyword bool exclude_shared_token_cache_credential: leave out `SharedTokenCacheCredential`. Default: False.
    :keyword bool exclude_visual_studio_code_credential: leave out `VisualStudioCodeCredential`. Default: False.
    :keyword bool exclude_cli_credential: leave out `AzureCliCredential`. Default: False.
    :keyword bool exclude_powershell_credential: leave out `AzurePowerShellCredential`. Default: False.
    :keyword bool exclude_developer_cli_credential: leave out `AzureDeveloperCliCredential`. Default: False.
    :keyword bool exclude_interactive_browser_credential: leave out `InteractiveBrowserCredential`. Default: True.
    :keyword bool exclude_broker_credential: leave out the broker. Default: False.
    :keyword str managed_identity_client_id: client id, object id or resource id of a user-assigned managed identity.
        Default: `AZURE_CLIENT_ID`; None for the system-assigned one.
    :keyword identity_config: the same as a mapping, see `ManagedIdentityCredential`; it wins over `AZURE_CLIENT_ID`.
    :paramtype identity_config: Mapping[str, str]
    :keyword str workload_identity_client_id: client id for workload identity. Default: `managed_identity_client_id`,
        unless that is a resource id; else `AZURE_CLIENT_ID`.
    :keyword str workload_identity_tenant_id: tenant for workload identity. Default: `AZURE_TENANT_ID`.
    :keyword str interactive_browser_tenant_id: tenant to sign in to. Default: `AZURE_TENANT_ID`.
    :keyword str interactive_browser_client_id: application to sign in to. Default: a Microsoft developer application.
    :keyword str broker_tenant_id: tenant for the broker. Default: `AZURE_TENANT_ID`.
    :keyword str broker_client_id: application for the broker. Default: a Microsoft developer application.
    :keyword str shared_cache_username: account for the shared token cache. Default: `AZURE_USERNAME`.
    :keyword str shared_cache_tenant_id: tenant for the shared token cache. Default: `AZURE_TENANT_ID`.
    :keyword str visual_studio_code_tenant_id: tenant for Visual Studio Code. Default: that of the account signed in
        there.
    :keyword float process_timeout: seconds to wait for a developer tool. Default: 10.
    :keyword bool require_envvar: insist that `AZURE_TOKEN_CREDENTIALS` is set. Default: False.
    :keyword additionally_allowed_tenants: tenants besides a member's own that a caller may request tokens from; `*`
        allows any.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword bool disable_instance_discovery: trust an authority that Microsoft does not know. Default: False.
    :keyword cache_persistence_options: where tokens are kept beyond the process. Default: in memory only.
    :paramtype cache_persistence_options: ~azure.identity.TokenCachePersistenceOptions
    :raises ValueError: an argument or AZURE_TOKEN_CREDENTIALS is malformed, or no member is left.
    :raises TypeError: a keyword belongs to a single member, or looks like one that decides whose token it is.

    All keywords of an azure-core pipeline (`transport`, `proxies`, `retry_total`, `logging_enable`, ...) are accepted
    too. A member that cannot be set up never makes this constructor fail: it reports its problem when it is asked.
    """

    _context = IN_DEFAULT_CHAIN
    _sticky = True

    def __init__(
        self,
        *,
        authority: Optional[str] = None,
        exclude_environment_credential: Optional[bool] = None,
        exclude_workload_identity_credential: Optional[bool] = None,
        exclude_managed_identity_credential: Optional[bool] = None,
        exclude_shared_token_cache_credential: Optional[bool] = None,
        exclude_visual_studio_code_credential: Optional[bool] = None,
        exclude_cli_credential: Optional[bool] = None,
        exclude_powershell_credential: Optional[bool] = None,
        exclude_developer_cli_credential: Optional[bool] = None,
        exclude_interactive_browser_credential: Optional[bool] = None,
        exclude_broker_credential: Optional[bool] = None,
        managed_identity_client_id: Optional[str] = _ENV,
        workload_identity_client_id: Optional[str] = _ENV,
        workload_identity_tenant_id: Optional[str] = _ENV,
        interactive_browser_tenant_id: Optional[str] = _ENV,
        interactive_browser_client_id: Optional[str] = None,
        broker_tenant_id: Optional[str] = _ENV,
        broker_client_id: Optional[str] = None,
        shared_cache_username: Optional[str] = _ENV,
        shared_cache_tenant_id: Optional[str] = _ENV,
        visual_studio_code_tenant_id: Optional[str] = None,
        process_timeout: float = 10,
        require_envvar: bool = False,
        additionally_allowed_tenants: Optional[Sequence[str]] = None,
        disable_instance_discovery: Optional[bool] = None,
        cache_persistence_options: Optional[TokenCachePersistenceOptions] = None,
        **options: Unpack[PipelineOptions],
    ) -> None:
        from .._flows.entra import configured_authority

        given = {
            name: value
            for name, value in locals().items()
            if name not in ("self", "options", "__class__", "configured_authority")
        }
        ignored = self._refuse_misplaced(options, tuple(given)) if options else ()
        _refuse_malformed(given)
        self._given = given
        self._shared: dict[str, Any] = {name: value for name, value in options.items() if name not in ignored}
        # Identity bindings are for a credential that is made on its own: which exchange a pod is set up for, a chain
        # cannot know.
        self._shared.pop("enable_azure_proxy", None)
        self._identity_config: Any = self._shared.pop("identity_config", None)
        for name in ("additionally_allowed_tenants", "disable_instance_discovery", "cache_persistence_options"):
            if given[name] is not None:
                self._shared[name] = given[name]
        self._authority = configured_authority(authority).url
        selection = settings.read(settings.TOKEN_CREDENTIALS)
        self._selection = (selection or "").lower()
        chosen = _choose(given, selection, require_envvar)
        self._chosen = frozenset(link.name for link in chosen)
        self.credentials = tuple(self._member(link) for link in chosen)

    def _refuse_misplaced(self, options: Mapping[str, Any], parameters: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse keywords that belong to a member; the names of those that mean nothing."""
        for name, advice in _FORBIDDEN.items():
            if name in options:
                raise TypeError(f"{self._who}() does not take {name!r}, since its members differ in it: {advice}.")
        return settings.check_unknown(self._who, options, parameters)

    def _member(self, link: Link) -> Any:
        try:
            return link.make(self)
        except ImportError:
            raise  # aiohttp is missing, say: that concerns the whole chain
        except NotConfigured as error:
            return (UnavailableMember if isinstance(self, SyncCredential) else AsyncUnavailableMember)(link.name, error)
        except (ValueError, TypeError, OSError) as error:
            return (BrokenMember if isinstance(self, SyncCredential) else AsyncBrokenMember)(link.name, error)

    def _entra(self, name: str, **extra: Any) -> Any:
        """A member that talks to Microsoft Entra ID."""
        return self._sibling(name)(authority=self._authority, **self._shared, **extra)

    def _workload_identity(self) -> Any:
        """The workload identity that the environment describes."""
        tenant, client = self._given["workload_identity_tenant_id"], self._given["workload_identity_client_id"]
        if client is _ENV:
            client = self._given["managed_identity_client_id"]
            if client is _ENV or (client or "").startswith("/"):  # a resource id, which only managed identities have
                client = None
        return self._entra("WorkloadIdentityCredential", tenant_id=None if tenant is _ENV else tenant, client_id=client)

    def _managed_identity(self) -> Any:
        """The managed identity of the host. One id serves all its kinds; what it is, is told by its form."""
        any_id = self._given["managed_identity_client_id"]
        if self._identity_config and any_id is not _ENV and any_id:
            raise ValueError("managed_identity_client_id and identity_config both name an identity: give one of them.")
        return self._sibling("ManagedIdentityCredential")(
            identity_config=self._identity_config,
            # A configured id comes before the environment's, whatever its kind.
            _any_id=settings.read(settings.CLIENT_ID) if any_id is _ENV else any_id,
            _in_default_chain=True,
            _exclude_workload_identity_credential="WorkloadIdentityCredential" not in self._chosen,
            # Chosen by name it is the only one to ask, so it is asked as patiently as alone.
            _enable_imds_probe=False if self._selection == "managedidentitycredential" else None,
            **self._shared,
        )

    def _from_environment(self, keyword: str, variable: str) -> Any:
        """A keyword's value, or the variable's if it was not given."""
        value = self._given[keyword]
        return settings.read(variable) if value is _ENV else value

    def _shared_cache(self) -> Any:
        return self._entra(
            "SharedTokenCacheCredential",
            username=self._from_environment("shared_cache_username", settings.USERNAME),
            tenant_id=self._from_environment("shared_cache_tenant_id", settings.TENANT_ID),
        )

    def _visual_studio_code(self) -> Any:
        # The authority is the account's: what Visual Studio Code is signed in to.
        return self._sibling("VisualStudioCodeCredential")(
            tenant_id=self._given["visual_studio_code_tenant_id"], **self._shared
        )

    def _interactive_browser(self) -> Any:
        return self._entra(
            "InteractiveBrowserCredential",
            tenant_id=self._from_environment("interactive_browser_tenant_id", settings.TENANT_ID),
            client_id=self._given["interactive_browser_client_id"],
        )

    def _broker(self) -> Any:
        from .broker import AsyncBrokerCredential, BrokerCredential

        face = BrokerCredential if isinstance(self, SyncCredential) else AsyncBrokerCredential
        return face(
            authority=self._authority,
            tenant_id=self._from_environment("broker_tenant_id", settings.TENANT_ID),
            client_id=self._given["broker_client_id"],
            **self._shared,
        )

    def _tool(self, name: str, **extra: Any) -> Any:
        """A member that starts a developer tool."""
        return self._sibling(name)(process_timeout=self._given["process_timeout"], **extra)


def _refuse_malformed(given: Mapping[str, Any]) -> None:
    """Refuse arguments that a member would refuse, now rather than when that member is asked. What the environment says
    is the member's business."""
    from .._flows.developer_tool import validate_timeout
    from .._protocols.tenants import tenant_list, validate_tenant

    for name in _TENANTS:
        value = given[name]
        if value is not _ENV and value:
            validate_tenant(value, name)
    validate_timeout(given["process_timeout"])
    tenant_list(given["additionally_allowed_tenants"])


def _choose(given: Mapping[str, Any], selection: Optional[str], require: bool) -> list[Link]:
    """The members: AZURE_TOKEN_CREDENTIALS decides, then the exclude keywords that were given."""
    if selection is None and require:
        raise ValueError(
            f"{settings.TOKEN_CREDENTIALS} must be set, because require_envvar=True was given: to dev, prod, or a "
            "credential's name."
        )
    wanted = (selection or "").lower()
    if wanted and wanted not in _SELECTIONS:
        raise ValueError(
            f"Invalid value for {settings.TOKEN_CREDENTIALS}: {selection!r}. Valid values: {', '.join(_SELECTIONS)}."
        )
    chosen = []
    for link in LINKS:
        excluded = given.get(link.exclude)
        if excluded is None:
            excluded = not (wanted in (link.group, link.name.lower()) if wanted else link.included)
        if not excluded:
            chosen.append(link)
    if not chosen:
        raise ValueError("at least one credential is required, but all members of the chain are excluded.")
    return chosen


class BrokenFlow(ChainFlow):
    """Stands in for a member that could not be set up: it is configured, but wrongly. Says so when it is asked, and
    ends the chain there."""

    def __init__(self, name: str, error: Exception) -> None:
        self._credential_name = name
        self._error = error
        self.credentials = ()

    @property
    def _who(self) -> str:
        return self._credential_name

    async def _answer(self, io: FlowIO, ask: TokenRequest) -> Entry:
        text = self._error.strerror if isinstance(self._error, OSError) else str(self._error)
        raise self._failed(
            f"{self._credential_name} is configured, but wrongly: {redacted(text or repr(self._error))} "
            f"{help_link('chain-failed')}"
        ) from self._error


class UnavailableFlow(BrokenFlow):
    """Stands in for a member that is not configured. Says so when it is asked, and the chain goes on."""

    async def _answer(self, io: FlowIO, ask: TokenRequest) -> Entry:
        raise self._unavailable(str(self._error)) from self._error


class UnavailableMember(UnavailableFlow, SyncCredential):
    """The blocking face."""


class AsyncUnavailableMember(UnavailableFlow, AsyncCredential):
    """The suspending face."""


class BrokenMember(BrokenFlow, SyncCredential):
    """The blocking face."""


class AsyncBrokenMember(BrokenFlow, AsyncCredential):
    """The suspending face."""


@public("DefaultAzureCredential")
class DefaultAzureCredential(DefaultAzureFlow, ChainedTokenCredential):
    __doc__ = DefaultAzureFlow.__doc__


@public("DefaultAzureCredential", AIO)
class AsyncDefaultAzureCredential(DefaultAzureFlow, AsyncChainedTokenCredential):
    __doc__ = DefaultAzureFlow.__doc__
