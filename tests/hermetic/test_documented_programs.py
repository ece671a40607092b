"""The programs of the package's documentation, as printed there; each test has the name of the section.

Only placeholders (`<tenant-id>`, `/path/to/cert.pem`) are replaced. What is added shows whom the token is for: `show`
calls a web API, which checks the token and says whose it is.
"""

from __future__ import annotations

import pytest

from hermetic.conftest import Runner
from hermetic.places import API, AUTHORITY, OPENAI

pytestmark = pytest.mark.partner

APP = "<client-id> of <tenant-id>\n"
USER = "<user> of <tenant-id>\n"
ONE_TOKEN = [f"token {AUTHORITY}", f"resource {API}"]
"""The requests of a program that gets a token and calls the API with it."""


# ---- environment variables ----


@pytest.mark.parametrize("surroundings", ["secret", "certificate", "locked_certificate"])
def test_environment_variables(run: Runner, surroundings: str) -> None:
    """A service principal by variables alone: with a secret, a certificate, and a certificate behind a password."""
    outcome = run("environment.py", surroundings)

    assert (outcome.printed, outcome.asked) == (APP, ONE_TOKEN)
    assert bool(outcome.to("token")[0]["assertion_header"]) is (surroundings != "secret")


@pytest.mark.parametrize("host", ["login.microsoftonline.com", "login.chinacloudapi.cn", "login.microsoftonline.us"])
def test_environment_variables_authority_host(run: Runner, host: str) -> None:
    """AZURE_AUTHORITY_HOST is a bare host name: that host is asked, and no other."""
    outcome = run("environment.py", "secret", {"AZURE_AUTHORITY_HOST": host})

    assert outcome.asked == [f"token {host}", f"resource {API}"]


@pytest.mark.parametrize("name", ["<client-id>", "<object-id>", "<resource-id>"])
def test_environment_variables_user_assigned_managed_identity(run: Runner, name: str) -> None:
    """AZURE_CLIENT_ID chooses the managed identity of a machine, by any of its ids."""
    outcome = run("environment.py", "virtual_machine", {"AZURE_CLIENT_ID": name})

    assert outcome.printed == APP


@pytest.mark.parametrize(
    ("selection", "succeeds"),
    [("prod", True), ("EnvironmentCredential", True), ("environmentcredential", True), ("dev", False)],
)
def test_environment_variables_credential_selection(run: Runner, selection: str, succeeds: bool) -> None:
    """AZURE_TOKEN_CREDENTIALS restricts the chain: to a group, or to a credential by name."""
    variables = {"AZURE_TOKEN_CREDENTIALS": selection}
    outcome = run("error_handling.py", "secret", variables)

    assert outcome.asked == ([f"token {AUTHORITY}"] if succeeds else [])
    assert outcome.printed == ("" if succeeds else "could not attempt\n")


# ---- DefaultAzureCredential ----


@pytest.mark.parametrize("name", ["blob.py", "blob_async.py"])
def test_default_azure_credential_and_async_credentials(run: Runner, name: str) -> None:
    """Blob storage at an account's own address, by the sync and the async client: one token request."""
    outcome = run(name, "secret")

    assert outcome.printed == "good morning\n"
    assert outcome.asked == [f"token {AUTHORITY}"]


def test_customizing_default_azure_credential_managed_identity(run: Runner) -> None:
    """managed_identity_client_id takes any of an identity's ids, and leaves no doubt which identity is meant."""
    outcome = run("managed_identity_in_chain.py", "virtual_machine")

    assert outcome.printed == APP * 3
    assert outcome.to("token") == []


def test_customizing_default_azure_credential_interactive_browser(run: Runner) -> None:
    """With the browser in the chain, and nothing else to authenticate with, a person signs in."""
    outcome = run("interactive_chain.py", "desk")

    assert outcome.printed == USER
    assert [request["form"]["grant_type"] for request in outcome.to("token")] == ["authorization_code"]


def test_customizing_default_azure_credential_process_timeout(run: Runner) -> None:
    """Away from Azure, the chain comes to the Azure CLI, which may take its time."""
    outcome = run("process_timeout.py", "developer")

    assert outcome.printed == APP


def test_customizing_default_azure_credential_require_envvar(run: Runner) -> None:
    """AZURE_TOKEN_CREDENTIALS must be set then: else the constructor says so."""
    missing = run("require_envvar.py", "secret", status=1)
    outcome = run("require_envvar.py", "secret", {"AZURE_TOKEN_CREDENTIALS": "prod"})

    assert "ValueError: AZURE_TOKEN_CREDENTIALS must be set" in missing.complained
    assert (missing.asked, outcome.asked) == ([], ONE_TOKEN)


def test_exclude_parameters(run: Runner) -> None:
    """All ten keywords of the table, with the defaults it says."""
    assert run("excluding.py", "secret").printed == APP


@pytest.mark.parametrize("name", ["openai_chat.py", "openai_chat_async.py"])
def test_get_bearer_token_provider(run: Runner, name: str) -> None:
    """AzureOpenAI at a resource's own address: two questions, one token, for Cognitive Services."""
    outcome = run(name, "secret")

    assert outcome.printed.count("good morning") == 2
    assert outcome.asked == [f"token {AUTHORITY}", *[f"chat {OPENAI}"] * 2]
    assert outcome.to("token")[0]["form"]["scope"] == "https://cognitiveservices.azure.com/.default"


# ---- specific credentials; ManagedIdentityCredential is in test_managed_identity.py ----


def test_client_secret_credential(run: Runner) -> None:
    """One request to the default authority, in the app's tenant."""
    outcome = run("client_secret.py", "secret")

    assert (outcome.printed, outcome.asked) == (APP, ONE_TOKEN)
    assert outcome.to("token")[0]["path"] == "/<tenant-id>/oauth2/v2.0/token"


def test_certificate_credential(run: Runner) -> None:
    """From a PEM file, and from PKCS#12 bytes with a password; only the second one sends the certificate along."""
    outcome = run("certificate.py", "certificate")

    assert outcome.printed == APP * 2
    from_path, from_bytes = (request["assertion_header"] for request in outcome.to("token"))
    assert "x5c" not in from_path
    assert "x5c" in from_bytes


def test_azure_cli_credential(run: Runner) -> None:
    """The real Azure CLI, signed in: its account is the caller, with a tenant named and without."""
    assert run("azure_cli.py", "developer").printed == APP * 2


@pytest.mark.parametrize(
    ("surroundings", "asks_machine"), [("virtual_machine", True), ("developer", False)], ids=["on Azure", "elsewhere"]
)
def test_chained_token_credential(run: Runner, surroundings: str, asks_machine: bool) -> None:
    """On a machine its managed identity answers; elsewhere, after a second, the Azure CLI."""
    outcome = run("chained.py", surroundings)

    assert outcome.printed == APP
    assert [request["metadata"] for request in outcome.to("imds")] == ([None, "true"] if asks_machine else [])


def test_workload_identity_credential(run: Runner) -> None:
    """The variables that AKS sets, and the same by keywords: the projected token is the assertion."""
    outcome = run("workload_identity.py", "pod")

    assert outcome.printed == APP * 2
    assert {request["host"] for request in outcome.to("token")} == {AUTHORITY}
    assert all(request["form"]["client_assertion_type"].endswith("jwt-bearer") for request in outcome.to("token"))


def test_device_code_credential(run: Runner) -> None:
    """The prompt appears on standard output, or goes to the callback; who enters the code is the caller."""
    outcome = run("device_code.py", "desk")

    default, by, go, custom = outcome.printed.splitlines(keepends=True)
    assert default.startswith("To sign in, use a web browser to open the page https://")
    assert go.startswith("Go to https://")
    assert (by, custom) == (USER, USER)
    assert [one["path"].split("/")[1] for one in outcome.to("devicecode")] == ["organizations"] * 2


def test_interactive_browser_credential(run: Runner) -> None:
    """A browser is opened, a person signs in: to any organization, or to the tenant and application named."""
    outcome = run("interactive_browser.py", "desk")

    assert outcome.printed == USER * 2
    assert [one["path"].split("/")[1] for one in outcome.to("token")] == ["organizations", "<tenant-id>"]
    assert [one["form"]["grant_type"] for one in outcome.to("token")] == ["authorization_code"] * 2


def test_on_behalf_of_credential(run: Runner) -> None:
    """The web API's token is for the user who has called it."""
    outcome = run("on_behalf_of.py", "web_api")

    assert (outcome.printed, outcome.asked) == (USER, ONE_TOKEN)
    assert outcome.to("token")[0]["form"]["requested_token_use"] == "on_behalf_of"


def test_azure_pipelines_credential(run: Runner) -> None:
    """Azure DevOps hands out a token of the service connection; it is the assertion."""
    outcome = run("azure_pipelines.py", "pipeline")

    assert (outcome.printed, outcome.asked) == (APP, ONE_TOKEN)


# ---- the rest ----


def test_getting_tokens_directly(run: Runner) -> None:
    """Two scopes, two requests to login.microsoftonline.com, no others."""
    outcome = run("get_token.py", "secret")

    assert outcome.printed.startswith("Token expires: ")
    assert outcome.asked == [f"token {AUTHORITY}"] * 2
    assert [request["form"]["scope"] for request in outcome.to("token")] == [
        "https://management.azure.com/.default",
        "https://ossrdbms-aad.database.windows.net/.default",
    ]


def test_sovereign_clouds(run: Runner) -> None:
    """Each cloud's own authority is asked, and no other cloud's host: not even about whether it is known."""
    outcome = run("sovereign_clouds.py", "secret")

    assert outcome.printed == APP * 2
    assert [asked for asked in outcome.asked if not asked.endswith(API)] == [
        "token login.microsoftonline.us",
        "token login.chinacloudapi.cn",
    ]


def test_persistent_token_caching(run: Runner) -> None:
    """Both options are accepted, and the credential works."""
    assert run("persistent_caching.py", "secret").printed == APP


def test_multi_tenant_support(run: Runner) -> None:
    """The other tenant's token is the other tenant's."""
    outcome = run("multi_tenant.py", "secret")

    assert outcome.printed == APP + "<client-id> of <other-tenant-id>\n"
    assert [request["path"].split("/")[1] for request in outcome.to("token")] == ["<tenant-id>", "<other-tenant-id>"]


@pytest.mark.parametrize("secret", ["", "not-the-secret"], ids=["unavailable", "refused"])
def test_error_handling(run: Runner, secret: str) -> None:
    """Nothing is configured: CredentialUnavailableError. A wrong secret: ClientAuthenticationError, with what Entra
    said and which credential was asked."""
    outcome = run("error_handling.py", "secret" if secret else "nothing", {"AZURE_CLIENT_SECRET": secret})

    if secret:
        assert outcome.printed.startswith("failed: DefaultAzureCredential")
        assert "EnvironmentCredential" in outcome.printed
        assert "AADSTS7000215" in outcome.printed
        assert secret not in outcome.printed
    else:
        assert outcome.printed == "could not attempt\n"


def test_logging(run: Runner) -> None:
    """The records say which credential has answered, and for whom; the token is not among them."""
    complained = run("logging_program.py", "secret").complained

    assert "INFO:azure.identity" in complained
    assert "DefaultAzureCredential acquired a token from EnvironmentCredential" in complained
    assert "DEBUG:azure.identity" in complained
    assert "Client ID: <client-id>. Tenant ID: <tenant-id>." in complained


def test_logging_by_variable(run: Runner) -> None:
    """AZURE_LOG_LEVEL=debug shows the same where the program does nothing about logging; without it nothing is."""
    silent = run("get_token.py", "secret").complained
    complained = run("get_token.py", "secret", {"AZURE_LOG_LEVEL": "debug"}).complained

    assert silent == ""
    assert "DefaultAzureCredential acquired a token from EnvironmentCredential" in complained
    assert "Client ID: <client-id>. Tenant ID: <tenant-id>." in complained
