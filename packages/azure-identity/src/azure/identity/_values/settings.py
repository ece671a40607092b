"""Every environment variable the library reads, and the options its credentials share.

A variable that is set but blank counts as unset: templates and container definitions leave such lines behind. Booleans
are `true`, `1`, `yes`, `on` or `false`, `0`, `no`, `off` in any case.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, Sequence, TypedDict

if TYPE_CHECKING:
    from .._persistence import TokenCachePersistenceOptions

CLIENT_ID = "AZURE_CLIENT_ID"
"""Application (client) id of a service principal, or client id of a user-assigned managed identity."""
TENANT_ID = "AZURE_TENANT_ID"
"""Id or domain name of the Microsoft Entra tenant."""
CLIENT_SECRET = "AZURE_CLIENT_SECRET"
"""A client secret of the application."""
CERTIFICATE_PATH = "AZURE_CLIENT_CERTIFICATE_PATH"
"""Path of a PEM or PKCS#12 file with the application's certificate and private key."""
CERTIFICATE_PASSWORD = "AZURE_CLIENT_CERTIFICATE_PASSWORD"
"""Password of that file, if it has one."""
SEND_CERTIFICATE_CHAIN = "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"
"""Boolean. Whether to send the certificate chain with each request (subject name / issuer authentication)."""
USERNAME = "AZURE_USERNAME"
"""User name of an account."""
PASSWORD = "AZURE_PASSWORD"
"""Password of that account (deprecated way to sign in)."""
AUTHORITY_HOST = "AZURE_AUTHORITY_HOST"
"""Host of the authority; see `azure.identity.AzureAuthorityHosts`. Default: the public cloud."""
FEDERATED_TOKEN_FILE = "AZURE_FEDERATED_TOKEN_FILE"
"""Path of a projected Kubernetes service account token."""
KUBERNETES_TOKEN_PROXY = "AZURE_KUBERNETES_TOKEN_PROXY"
"""URL of the token proxy of an AKS identity binding. May contain no password."""
KUBERNETES_SNI_NAME = "AZURE_KUBERNETES_SNI_NAME"
"""The name that proxy is asked for in the TLS handshake, and that its certificate must be for."""
KUBERNETES_CA_FILE = "AZURE_KUBERNETES_CA_FILE"
"""Path of a PEM file with the only certificates to trust for that proxy."""
KUBERNETES_CA_DATA = "AZURE_KUBERNETES_CA_DATA"
"""The same certificates themselves; only one of the two may be set."""
IDENTITY_ENDPOINT = "IDENTITY_ENDPOINT"
"""URL managed identity tokens are requested from; set by App Service, Functions, Container Apps, Azure Arc and Service
Fabric."""
IDENTITY_HEADER = "IDENTITY_HEADER"
"""Secret that requests to `IDENTITY_ENDPOINT` carry; set by all of these but Azure Arc."""
IDENTITY_SERVER_THUMBPRINT = "IDENTITY_SERVER_THUMBPRINT"
"""Thumbprint of the only certificate `IDENTITY_ENDPOINT` may have; set by Service Fabric."""
IDENTITY_API_VERSION = "IDENTITY_API_VERSION"
"""The api-version of `IDENTITY_ENDPOINT`; set by Service Fabric."""
IMDS_ENDPOINT = "IMDS_ENDPOINT"
"""URL of a local metadata service; set by Azure Arc. Tells it from the other hosts."""
MSI_ENDPOINT = "MSI_ENDPOINT"
"""URL managed identity tokens are requested from; set by Azure Machine Learning and Cloud Shell."""
MSI_SECRET = "MSI_SECRET"
"""Secret that requests to `MSI_ENDPOINT` carry; set by Azure Machine Learning."""
DEFAULT_IDENTITY_CLIENT_ID = "DEFAULT_IDENTITY_CLIENT_ID"
"""Client id of the identity to use when a program names none; set by Azure Machine Learning."""
POD_IDENTITY_AUTHORITY_HOST = "AZURE_POD_IDENTITY_AUTHORITY_HOST"
"""URL of the host that answers in place of the instance metadata service, 169.254.169.254."""
PROGRAM_DATA = "PROGRAMDATA"
"""Windows: the folder below which Azure Arc keeps the keys of its challenges."""
REGIONAL_AUTHORITY = "AZURE_REGIONAL_AUTHORITY_NAME"
"""Region whose authority endpoint service principals use, or `tryautodetect`."""
REGION_NAME = "REGION_NAME"
"""Region the program runs in; set by App Service and Functions. Used by `tryautodetect`."""
TOKEN_CREDENTIALS = "AZURE_TOKEN_CREDENTIALS"
"""Which members `DefaultAzureCredential` has: `dev`, `prod`, or the name of one."""
PIPELINES_OIDC_URI = "SYSTEM_OIDCREQUESTURI"
"""Where a task of Azure Pipelines gets its OIDC token."""
GITHUB_OIDC_URI = "ACTIONS_ID_TOKEN_REQUEST_URL"
"""Where a job of GitHub Actions gets its OIDC token."""
GITHUB_OIDC_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
"""What a job of GitHub Actions presents there."""
DISABLE_MULTITENANT = "AZURE_IDENTITY_DISABLE_MULTITENANTAUTH"
"""Boolean. Tokens are only ever requested from the configured tenant, whatever a caller asks."""
LOG_LEVEL = "AZURE_LOG_LEVEL"
"""Level of the `azure.identity` loggers: critical, error, warning, info, debug (or verbose)."""
SYSTEM_ROOT = "SYSTEMROOT"
"""Windows: the directory developer tools are started in."""

_TRUE = frozenset(("true", "1", "yes", "on"))
_FALSE = frozenset(("false", "0", "no", "off", ""))


def read(name: str, environ: Optional[Mapping[str, str]] = None) -> Optional[str]:
    """The value of a variable without surrounding blanks, or None when it is unset or blank."""
    value = (os.environ if environ is None else environ).get(name)
    return (value.strip() or None) if value is not None else None


def read_exact(name: str, environ: Optional[Mapping[str, str]] = None) -> Optional[str]:
    """The same for values in which blanks may matter (passwords): only an empty one counts as unset."""
    return (os.environ if environ is None else environ).get(name) or None


def read_flag(name: str, environ: Optional[Mapping[str, str]] = None) -> bool:
    """The value of a boolean variable; False when unset.

    :raises ValueError: the value is neither a true nor a false word.
    """
    value = (read(name, environ) or "").lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ValueError(f"The environment variable {name} must be true or false, but it is {value!r}.")


class _RequestOptions(TypedDict, total=False):
    """Options of the azure-core pipeline a credential sends its requests through, but for the one below."""

    transport: Any
    """An azure-core transport to use for every request, instead of the shared one."""
    session: Any
    """A `requests.Session` (or, in `aio`, an `aiohttp.ClientSession`) for the default transport."""
    session_owner: bool
    """Whether closing the credential closes that session. Default: True."""
    policies: Sequence[Any]
    """Replaces all default policies, the retry policy included."""
    per_call_policies: Any
    """A policy, or several, that run once per request."""
    per_retry_policies: Any
    """A policy, or several, that run on every attempt."""
    request_id_policy: Any
    """Replaces the policy of this kind."""
    headers_policy: Any
    """Replaces the policy of this kind."""
    user_agent_policy: Any
    """Replaces the policy of this kind."""
    proxy_policy: Any
    """Replaces the policy of this kind."""
    redirect_policy: Any
    """Adds a policy that follows redirects. By default none are followed."""
    retry_policy: Any
    """Replaces the policy of this kind."""
    retry_policy_class: Callable[..., Any]
    """Makes the retry policy from these options."""
    authentication_policy: Any
    """Adds a policy that authenticates the requests themselves (to a gateway, say)."""
    custom_hook_policy: Any
    """Replaces the policy of this kind."""
    logging_policy: Any
    """Replaces the network trace policy."""
    http_logging_policy: Any
    """Replaces the policy of this kind."""
    retry_total: int
    """Attempts after the first. Default: 10; 0 means one attempt."""
    retry_connect: int
    """Attempts after a failure to connect. Default: 3."""
    retry_read: int
    """Attempts after a failure to read the answer. Default: 3."""
    retry_status: int
    """Attempts after a status that says to try again. Default: 3."""
    retry_backoff_factor: float
    """Seconds the pauses between attempts grow from. Default: 0.8."""
    retry_backoff_max: float
    """Longest pause, seconds, `Retry-After` included. Default: 30."""
    retry_mode: Any
    """`exponential` (default) or `fixed` pauses."""
    retry_on_status_codes: Sequence[int]
    """Statuses to try again after, besides 408, 429, 500, 502, 503, 504."""
    permit_redirects: bool
    """Follow redirects. Default: False, since the request carries credentials."""
    redirect_max: int
    """How many redirects, if any are followed."""
    redirect_remove_headers: Sequence[str]
    """Headers dropped on a redirect to another host."""
    headers: Mapping[str, str]
    """Added to every request."""
    user_agent: str
    """Put before the library's own User-Agent."""
    user_agent_overwrite: bool
    """Whether `user_agent` replaces the library's own. Default: False."""
    user_agent_use_env: bool
    """Whether `AZURE_HTTP_USER_AGENT` is appended. Default: True."""
    base_user_agent: str
    """Replaces the library's own User-Agent."""
    request_id: Optional[str]
    """The `x-ms-client-request-id` to send; None sends none. Default: a new one per request."""
    auto_request_id: bool
    """Whether request ids are made. Default: True."""
    request_id_header_name: str
    """Default: `x-ms-client-request-id`."""
    proxies: Mapping[str, str]
    """Proxy URL by protocol."""
    logging_enable: bool
    """Log requests and answers at DEBUG, with secrets replaced. Default: False."""
    logger: Any
    """Logger for the HTTP log."""
    http_logging_level: int
    """Level of the HTTP log."""
    raw_request_hook: Callable[..., Any]
    """Called with each pipeline request."""
    raw_response_hook: Callable[..., Any]
    """Called with each pipeline response."""
    network_span_namer: Callable[..., Any]
    """Names tracing spans."""
    tracing_attributes: Mapping[str, Any]
    """Attributes of tracing spans."""
    connection_timeout: float
    """Seconds to connect. Default: 20."""
    read_timeout: float
    """Seconds between bytes of an answer. Default: 60."""
    connection_verify: Any
    """Whether server certificates are verified, or the path of a CA bundle. Default: True."""
    connection_cert: Any
    """A TLS client certificate: path, or (certificate path, key path)."""
    connection_data_block_size: int
    """Bytes read at a time. Default: 4096."""
    use_env_settings: bool
    """Whether proxies and CA bundles are taken from the environment. Default: True."""
    polling_interval: float
    """Accepted as by every azure-core client; no credential polls through the pipeline."""
    api_version: str
    """Accepted as by every azure-core client; has no meaning for a credential."""


class PipelineOptions(_RequestOptions, total=False):
    """Options that travel to the azure-core pipeline a credential sends its requests through."""

    timeout: float
    """Seconds for all attempts together. For credentials that wait for a person: how long they wait."""


class _EntraOptions(TypedDict, total=False):
    """Options of the credentials that ask Microsoft Entra ID, but for those of their pipeline."""

    authority: Optional[str]
    """Host of the authority, such as `AzureAuthorityHosts.AZURE_CHINA`. Default: AZURE_AUTHORITY_HOST, else the public
    cloud."""
    disable_instance_discovery: Optional[bool]
    """Trust an authority that Microsoft does not know, such as a private cloud's. Default: False."""
    additionally_allowed_tenants: Optional[Sequence[str]]
    """Tenants besides the configured one that a caller may ask for; `*` allows any."""
    cache_persistence_options: Optional[TokenCachePersistenceOptions]
    """Where tokens are kept beyond the process."""
    enable_support_logging: Optional[bool]
    """Accepted for compatibility. Logs never contain personal data above DEBUG."""


class CredentialOptions(PipelineOptions, _EntraOptions, total=False):
    """Options of the credentials that ask Microsoft Entra ID."""


class SignInOptions(_RequestOptions, _EntraOptions, total=False):
    """The same for credentials that wait for a person and have a `timeout` of their own."""


CREDENTIAL_OPTIONS = (
    "authority",
    "disable_instance_discovery",
    "additionally_allowed_tenants",
    "cache_persistence_options",
    "enable_support_logging",
)
"""Options a credential takes for itself; all others go to the pipeline."""


@lru_cache(maxsize=1)
def known_options() -> frozenset[str]:
    """Names of all options that have a documented meaning."""
    return frozenset(CREDENTIAL_OPTIONS) | frozenset(PipelineOptions.__annotations__)


IDENTITY_KEYWORDS = (
    "tenant_id",
    "client_id",
    "object_id",
    "resource_id",
    "identity_config",
    "username",
    "client_secret",
    "token_file_path",
    "authority",
)
"""How keywords end that decide whose token it is, or where it comes from."""
OTHER_SPELLINGS = {
    "exclude_azd_credential": "exclude_developer_cli_credential",
    "exclude_azure_cli_credential": "exclude_cli_credential",
    "exclude_azure_developer_cli_credential": "exclude_developer_cli_credential",
    "exclude_azure_powershell_credential": "exclude_powershell_credential",
    "exclude_browser_credential": "exclude_interactive_browser_credential",
    "exclude_developer_credential": "exclude_developer_cli_credential",
    "exclude_msi_credential": "exclude_managed_identity_credential",
    "exclude_shared_cache_credential": "exclude_shared_token_cache_credential",
    "exclude_token_cache_credential": "exclude_shared_token_cache_credential",
    "exclude_visual_studio_credential": "exclude_visual_studio_code_credential",
    "exclude_vscode_credential": "exclude_visual_studio_code_credential",
    "shared_token_cache_username": "shared_cache_username",
}
"""Spellings that programs use and that never had an effect, with the keyword that has it."""


def check_unknown(owner: str, given: Mapping[str, Any], parameters: Sequence[str] = ()) -> tuple[str, ...]:
    """Say what becomes of keywords that are not known but look like misspelt ones; let all others pass in silence.

    azure-core's convention is that clients pass on keywords they do not know, and programs have come to rely on it. So
    a keyword that looks misspelt is a `UserWarning` that names the right one, and is ignored, as ever. Where another
    identity, secret, tenant or cloud would be used silently (`tenantid=`), it is a TypeError.

    :return: the keywords that were warned of: nobody should be handed them, to warn of them again.
    :raises TypeError: an unknown keyword looks like one that decides whose token it is.
    """
    known = known_options() | frozenset(parameters)
    unknown = [name for name in given if name not in known and not name.startswith("_")]
    if not unknown:
        return ()
    import difflib

    ignored = []
    for name in unknown:
        meant = OTHER_SPELLINGS.get(name)
        if meant not in known:
            # 0.85 lets one or two letters differ (tenantid, connection_timout) and keeps words apart that merely share
            # a part.
            close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.85)
            meant = close[0] if close else None
        if name.startswith("exclude_"):  # ignored, it leaves the chain as long as it was without it
            _warn_ignored(owner, name, meant if meant and meant.startswith("exclude_") else None)
            ignored.append(name)
        elif meant is not None and meant.endswith(IDENTITY_KEYWORDS) and name not in OTHER_SPELLINGS:
            raise TypeError(f"{owner}() got an unexpected keyword argument {name!r}; did you mean {meant!r}?")
        elif meant is not None:
            _warn_ignored(owner, name, meant)
            ignored.append(name)
    return tuple(ignored)


def _warn_ignored(owner: str, name: str, meant: Optional[str]) -> None:
    """Say once per place in the program that a keyword has no effect."""
    import sys
    import warnings

    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("azure.identity"):
        frame, level = frame.f_back, level + 1
    advice = f"did you mean {meant!r}?" if meant else "there is no such keyword."
    warnings.warn(f"{owner}() ignores the keyword argument {name!r}: {advice}", UserWarning, stacklevel=level)


def refuse_line_breaks(given: Mapping[str, Any]) -> None:
    """Raise ValueError for a header with a control character, which would end it and begin another (RFC 9110, 5.5)."""
    headers = given.get("headers")
    fields: dict[str, Any] = {f"headers[{name!r}]": value for name, value in (dict(headers) if headers else {}).items()}
    fields.update({name: given[name] for name in ("user_agent", "base_user_agent") if name in given})
    for name, value in fields.items():
        if isinstance(value, str) and any(character in value for character in "\r\n\0"):
            raise ValueError(f"{name} must be one line of text, as it becomes an HTTP header.")
