"""A user's program. Nobody runs it: it must pass `mypy --strict` and pyright, and so must what it shows be typed."""

from __future__ import annotations

from datetime import datetime
from typing import Awaitable, Callable, List, Mapping, Tuple

from azure.core.credentials import AccessToken, AccessTokenInfo, SupportsTokenInfo, TokenCredential
from azure.core.credentials_async import AsyncSupportsTokenInfo, AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, BearerTokenCredentialPolicy, RetryPolicy

import azure.identity
import azure.identity.aio
from azure.identity import (
    AuthenticationRecord,
    AuthenticationRequiredError,
    AuthorizationCodeCredential,
    AzureAuthorityHosts,
    AzureCliCredential,
    AzureDeveloperCliCredential,
    AzurePipelinesCredential,
    AzurePowerShellCredential,
    CertificateCredential,
    ChainedTokenCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
    DeviceCodeCredential,
    EnvironmentCredential,
    InteractiveBrowserCredential,
    KnownAuthorities,
    ManagedIdentityCredential,
    OnBehalfOfCredential,
    TokenCachePersistenceOptions,
    WorkloadIdentityCredential,
    get_bearer_token_provider,
)
from azure.identity.aio import ClientAssertionCredential as AsyncClientAssertionCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from azure.identity.aio import DefaultAzureCredential as AsyncDefaultAzureCredential
from azure.identity.aio import ManagedIdentityCredential as AsyncManagedIdentityCredential
from azure.identity.aio import get_bearer_token_provider as async_get_bearer_token_provider

SCOPE = "https://vault.azure.net/.default"


def tokens(credential: DefaultAzureCredential) -> Tuple[str, int]:
    """The two token methods."""
    token: AccessToken = credential.get_token(SCOPE, "offline_access")
    challenged: AccessToken = credential.get_token(SCOPE, claims="{}", tenant_id="contoso.com", enable_cae=True)
    info: AccessTokenInfo = credential.get_token_info(SCOPE, options={"enable_cae": True, "tenant_id": "contoso.com"})
    text: str = token.token + challenged.token + info.token
    moment: int = info.expires_on
    return text, moment


async def async_tokens(credential: AsyncDefaultAzureCredential) -> str:
    """The same, awaited."""
    async with credential:
        token: AccessToken = await credential.get_token(SCOPE)
        info: AccessTokenInfo = await credential.get_token_info(SCOPE, options={"claims": "{}"})
    await credential.close()
    return token.token + info.token_type


def protocols() -> None:
    """What azure-core's clients ask for."""
    sync: List[TokenCredential] = [DefaultAzureCredential(), AzureCliCredential(), EnvironmentCredential()]
    info: List[SupportsTokenInfo] = [DefaultAzureCredential(), AzureCliCredential(), EnvironmentCredential()]
    twins: List[AsyncTokenCredential] = [AsyncDefaultAzureCredential(), azure.identity.aio.AzureCliCredential()]
    async_info: List[AsyncSupportsTokenInfo] = [AsyncDefaultAzureCredential()]
    BearerTokenCredentialPolicy(DefaultAzureCredential(), SCOPE)
    AsyncBearerTokenCredentialPolicy(AsyncDefaultAzureCredential(), SCOPE)
    del sync, info, twins, async_info


def service_principals() -> None:
    """Constructors with their options."""
    ClientSecretCredential(
        "tenant",
        "client",
        "secret",
        authority=AzureAuthorityHosts.AZURE_CHINA,
        additionally_allowed_tenants=["*"],
        disable_instance_discovery=True,
        cache_persistence_options=TokenCachePersistenceOptions(allow_unencrypted_storage=True, name="mine"),
        retry_total=3,
        retry_policy=RetryPolicy(),
        proxies={"https": "http://proxy:8080"},
        headers={"X-A": "1"},
        connection_timeout=5,
        connection_verify="ca.pem",
        logging_enable=True,
    )
    CertificateCredential("tenant", "client", "cert.pem", password="p", send_certificate_chain=True)
    CertificateCredential("tenant", "client", certificate_data=b"", password=b"p")
    ClientAssertionCredential("tenant", "client", lambda: "assertion", authority=KnownAuthorities.AZURE_GOVERNMENT)
    AsyncClientSecretCredential(tenant_id="tenant", client_id="client", client_secret="secret", user_agent="app/1")

    async def assertion() -> str:
        return "assertion"

    AsyncClientAssertionCredential("tenant", "client", assertion)


def hosts() -> List[TokenCredential]:
    """Identities of Azure hosts, of build agents and of developer tools."""
    AsyncManagedIdentityCredential(client_id="client")
    return [
        ManagedIdentityCredential(),
        ManagedIdentityCredential(client_id="client"),
        ManagedIdentityCredential(identity_config={"resource_id": "/subscriptions/s"}, retry_total=2),
        WorkloadIdentityCredential(tenant_id="tenant", client_id="client", token_file_path="token"),
        AzurePipelinesCredential(
            tenant_id="tenant", client_id="client", service_connection_id="id", system_access_token="token"
        ),
        AzureCliCredential(tenant_id="", subscription="sub", process_timeout=30),
        AzureDeveloperCliCredential(additionally_allowed_tenants=["*"]),
        AzurePowerShellCredential(process_timeout=1.5),
    ]


def people(record: AuthenticationRecord) -> AuthenticationRecord:
    """Credentials that ask a person to sign in."""

    def prompt(uri: str, code: str, expires_on: datetime) -> None:
        raise NotImplementedError((uri, code, expires_on))

    DeviceCodeCredential("client", prompt_callback=prompt, timeout=60)
    AuthorizationCodeCredential("tenant", "client", "code", "http://localhost:8400", client_secret="secret")
    OnBehalfOfCredential("tenant", "client", client_secret="secret", user_assertion="assertion")
    browser = InteractiveBrowserCredential(
        tenant_id="tenant", login_hint="user@contoso.com", authentication_record=record, timeout=60
    )
    again: AuthenticationRecord = AuthenticationRecord.deserialize(record.serialize())
    name: str = again.username
    del name
    return browser.authenticate(scopes=[SCOPE])


def chains(own: TokenCredential) -> Tuple[object, ...]:
    """Chains of our credentials and of others."""
    with ChainedTokenCredential(EnvironmentCredential(), own, AzureCliCredential(process_timeout=30)) as chain:
        default = DefaultAzureCredential(
            exclude_environment_credential=True,
            managed_identity_client_id=None,
            process_timeout=5,
            require_envvar=False,
            authority="login.microsoftonline.us",
        )
        return chain.credentials + default.credentials


def providers() -> Mapping[str, str]:
    """Functions that return strings."""
    provide: Callable[[], str] = get_bearer_token_provider(DefaultAzureCredential(), SCOPE)
    await_it: Callable[[], Awaitable[str]] = async_get_bearer_token_provider(AsyncDefaultAzureCredential(), SCOPE)
    del await_it
    return {"Authorization": "Bearer " + provide()}


def errors(credential: ClientSecretCredential) -> str:
    """What can be caught, most special first."""
    try:
        credential.get_token(SCOPE)
    except AuthenticationRequiredError as error:
        return " ".join(error.scopes) + (error.claims or "")
    except CredentialUnavailableError as error:
        return error.message
    except ClientAuthenticationError as error:
        return str(error)
    version: str = azure.identity.__version__
    return version


def mistakes() -> None:
    """Each of these lines is an error, and the checker must say so: an `ignore` without an error is one too."""
    ClientSecretCredential("tenant", "client")  # type: ignore[call-arg]
    ClientSecretCredential("tenant", "client", 3)  # type: ignore[arg-type]
    AzureCliCredential("tenant")  # type: ignore[call-arg]
    TokenCachePersistenceOptions(True)  # type: ignore[call-arg]
    get_bearer_token_provider("not a credential", SCOPE)  # type: ignore[arg-type]
    DefaultAzureCredential().get_token(3)  # type: ignore[arg-type]
