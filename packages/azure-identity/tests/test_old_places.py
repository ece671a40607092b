"""Private places of the published package that programs and packages import from, which go on to work."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import azure.identity
from azure.identity import CredentialUnavailableError

PLACES = {
    "authorization_code": "AuthorizationCodeCredential",
    "azd_cli": "AzureDeveloperCliCredential",
    "azure_cli": "AzureCliCredential",
    "azure_pipelines": "AzurePipelinesCredential",
    "azure_powershell": "AzurePowerShellCredential",
    "browser": "InteractiveBrowserCredential",
    "certificate": "CertificateCredential",
    "chained": "ChainedTokenCredential",
    "client_assertion": "ClientAssertionCredential",
    "client_secret": "ClientSecretCredential",
    "default": "DefaultAzureCredential",
    "device_code": "DeviceCodeCredential",
    "environment": "EnvironmentCredential",
    "managed_identity": "ManagedIdentityCredential",
    "on_behalf_of": "OnBehalfOfCredential",
    "shared_cache": "SharedTokenCacheCredential",
    "user_password": "UsernamePasswordCredential",
    "vscode": "VisualStudioCodeCredential",
    "workload_identity": "WorkloadIdentityCredential",
}


@pytest.mark.parametrize("module", sorted(PLACES))
def test_each_credential_is_where_it_was(module: str) -> None:
    """In a module of its own, and in the package of all; the same class as the public one."""
    name = PLACES[module]
    public = getattr(azure.identity, name)

    assert getattr(importlib.import_module(f"azure.identity._credentials.{module}"), name) is public
    assert getattr(importlib.import_module("azure.identity._credentials"), name) is public


@pytest.mark.parametrize("name", ["NoSuchCredential", "get_bearer_token_provider", "AzureAuthorityHosts"])
def test_the_package_of_credentials_has_nothing_else(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(importlib.import_module("azure.identity._credentials"), name)


def test_exceptions_and_constants() -> None:
    from azure.identity._constants import AzureAuthorityHosts, EnvironmentVariables, KnownAuthorities
    from azure.identity._exceptions import AuthenticationRequiredError as Required
    from azure.identity._exceptions import CredentialUnavailableError as Unavailable

    assert (Unavailable, Required) == (CredentialUnavailableError, azure.identity.AuthenticationRequiredError)
    assert issubclass(KnownAuthorities, AzureAuthorityHosts)
    assert EnvironmentVariables.CLIENT_SECRET_VARS == ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")
    assert "AZURE_CLIENT_CERTIFICATE_PATH" in EnvironmentVariables.CERT_VARS
    assert "AZURE_USERNAME" in EnvironmentVariables.USERNAME_PASSWORD_VARS
    assert "AZURE_FEDERATED_TOKEN_FILE" in EnvironmentVariables.WORKLOAD_IDENTITY_VARS
    own = {name: value for name, value in vars(EnvironmentVariables).items() if isinstance(value, str)}
    named = {name: value for name, value in own.items() if not name.startswith("__")}
    assert {"IDENTITY_ENDPOINT", "IMDS_ENDPOINT", "MSI_SECRET", "AZURE_KUBERNETES_TOKEN_PROXY"} <= set(named)
    assert all(name == value for name, value in named.items()), "each is called like the variable it names"


def test_what_packages_look_at() -> None:
    """Outside a default chain the variable says so. The user agent is the one that is sent."""
    from azure.identity._internal.user_agent import USER_AGENT
    from azure.identity._internal.utils import within_dac

    assert within_dac.get() is False
    assert USER_AGENT.startswith(f"azsdk-python-identity/{azure.identity.__version__} ")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_policy_engine_runs_the_azure_cli_by_a_private_function(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It wants what the tool prints, and asks for the current subscription by it."""
    from azure.identity._credentials.azure_cli import _run_command

    tool = tmp_path / "az"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    tool.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    tool.chmod(0o755)
    assert _run_command(["account", "show", "--output", "json"], timeout=10) == "account|show|--output|json|"

    tool.write_text('#!/bin/sh\necho "Please run az login to setup account." >&2\nexit 1\n')
    with pytest.raises(CredentialUnavailableError, match="az login"):
        _run_command(["account", "show"])


def test_a_quantum_client_asks_for_the_default_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a class body, while it is imported."""
    from azure.identity._internal import get_default_authority, normalize_authority, validate_scope, validate_tenant_id

    assert get_default_authority() == "https://login.microsoftonline.com"
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "login.microsoftonline.us")
    assert get_default_authority() == "https://login.microsoftonline.us"
    assert normalize_authority("https://login.chinacloudapi.cn/") == "https://login.chinacloudapi.cn"
    validate_tenant_id("contoso.onmicrosoft.com")
    validate_tenant_id(None)
    validate_scope("https://vault.azure.net/.default")
    for check, value in ((validate_tenant_id, "../x"), (validate_scope, "a b")):
        with pytest.raises(ValueError, match="invalid"):
            check(value)


@pytest.mark.parametrize(
    ("variables", "module", "name"),
    [
        ({}, "imds", "ImdsCredential"),
        ({"MSI_ENDPOINT": "http://ml/token", "MSI_SECRET": "x"}, "azure_ml", "AzureMLCredential"),
    ],
)
def test_which_host_a_managed_identity_found(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], module: str, name: str
) -> None:
    """Programs ask for the class of its inner object."""
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    kind = getattr(importlib.import_module(f"azure.identity._credentials.{module}"), name)

    assert isinstance(azure.identity.ManagedIdentityCredential()._credential, kind)


# --- a package that is installed elsewhere


def run(program: str, *folders: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with azure/identity/broker in it, as an editable installation of another distribution has one."""
    package = tmp_path / "azure" / "identity" / "broker"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from azure.identity._values.messages import ALONE as found\n")
    return tmp_path


def test_the_broker_may_be_installed_in_another_folder(elsewhere: Path) -> None:
    """Of the namespace `azure`, wherever that reaches."""
    assert run("import azure.identity.broker as b; print(b.found)", elsewhere) == "alone"


def test_a_rival_package_is_not_mixed_in(elsewhere: Path) -> None:
    """Its modules would be found where this package has none. It is only looked for after this one."""
    rival = elsewhere / "azure" / "identity"
    (rival / "__init__.py").write_text("")
    (rival / "_rival.py").write_text("")
    program = """
    import importlib, sys
    here = [folder for folder in sys.path if "RIVAL" not in folder]
    sys.path[:] = here + [folder for folder in sys.path if "RIVAL" in folder]
    import azure.identity
    print([name for name in ("azure.identity._rival", "azure.identity.broker") if importlib.util.find_spec(name)])
    """
    place = elsewhere.rename(elsewhere.with_name("RIVAL"))
    program = "import importlib.util\n" + textwrap.dedent(program)

    assert "_rival" not in run(program, place)


def test_nothing_is_added_where_there_is_no_broker() -> None:
    """The path is the package's own folder."""
    program = "import azure.identity, pathlib; print(len(list(azure.identity.__path__)))"
    installed: Any = importlib.util.find_spec("azure.identity.broker")

    assert run(program) == "1" or installed is not None
