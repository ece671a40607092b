"""AzureCliCredential with the real Azure CLI, signed in to the emulator as a service principal."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError

from azure.identity import CredentialUnavailableError
from entra_emulator import EntraEmulator
from partners.azure_cli import AzureCli

pytestmark = pytest.mark.partner

GetToken = Callable[..., Any]
PATIENCE = 60
"""Seconds for `az` in tests that expect an answer. Machines that run tests can be busy."""


@pytest.fixture(scope="module")
def signed_in(entra_server: EntraEmulator, tmp_path_factory: pytest.TempPathFactory) -> AzureCli:
    """An Azure CLI with an account. Tests that ask for the same resource share its token cache."""
    cli = AzureCli(tmp_path_factory.mktemp("azure-signed-in"), entra_server)
    cli.use_emulator()
    cli.sign_in(entra_server.app)
    return cli


@pytest.fixture(scope="module")
def signed_out(entra_server: EntraEmulator, tmp_path_factory: pytest.TempPathFactory) -> AzureCli:
    """An Azure CLI that knows the emulator, but no account."""
    cli = AzureCli(tmp_path_factory.mktemp("azure-signed-out"), entra_server)
    cli.use_emulator()
    return cli


@pytest.fixture
def az_in_environment(signed_in: AzureCli, entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> AzureCli:
    """The environment of a developer who has signed in."""
    enter(signed_in, monkeypatch)
    return signed_in


def enter(cli: AzureCli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `az` in this process's environment the given one, and the only way to authenticate."""
    for name in list(os.environ):
        if name.startswith(("AZURE_", "IDENTITY_", "MSI_")):
            monkeypatch.delenv(name)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # az would compile itself anew each time
    for name, value in cli.environment.items():
        monkeypatch.setenv(name, value)


def claims_of(token: str) -> Dict[str, Any]:
    """What a token says. The protected resource checks the signature; here it is only read."""
    body = token.split(".")[1]
    claims: Dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


@pytest.mark.usefixtures("az_in_environment")
class TestSignedIn:
    """With an account."""

    def test_its_token_opens_the_resource(self, get_token: GetToken, entra: EntraEmulator) -> None:
        """The token is the account's, and a web API that checks it lets the caller in."""
        token = get_token("AzureCliCredential", entra.resource_scope, process_timeout=PATIENCE)

        answer = requests.get(
            entra.resource_url, headers={"Authorization": f"Bearer {token.token}"}, verify=entra.ca_file, timeout=10
        )
        assert answer.status_code == 200
        assert answer.json()["appid"] == entra.app.client_id
        # az computes it from when the answer arrived.
        assert token.expires_on == pytest.approx(claims_of(token.token)["exp"], abs=30)

    @pytest.mark.parametrize("name_of", ["id", "domain"])
    def test_a_tenant_can_be_named(self, get_token: GetToken, entra: EntraEmulator, name_of: str) -> None:
        """By id, or by domain name."""
        tenant = getattr(entra.tenant, name_of)
        scope = "https://vault.azure.net/.default"
        token = get_token("AzureCliCredential", scope, tenant_id=tenant, process_timeout=PATIENCE)

        claims = claims_of(token.token)
        assert (claims["tid"], claims["aud"].rstrip("/")) == (entra.tenant.id, "https://vault.azure.net")

    @pytest.mark.parametrize("query", ["name", "id"])
    def test_a_subscription_can_be_named(
        self, get_token: GetToken, entra: EntraEmulator, az_in_environment: AzureCli, query: str
    ) -> None:
        """By name, blanks included, or by id."""
        subscription = az_in_environment.run("account", "show", "--query", query, "--output", "tsv").strip()
        token = get_token(
            "AzureCliCredential",
            entra.resource_scope,
            subscription=subscription,
            process_timeout=PATIENCE,
        )

        assert claims_of(token.token)["appid"] == entra.app.client_id

    def test_an_unknown_subscription_is_a_refusal(self, get_token: GetToken, entra: EntraEmulator) -> None:
        """The tool was asked and said no: ClientAuthenticationError, with its words."""
        with pytest.raises(ClientAuthenticationError, match="no-such-subscription") as refused:
            get_token(
                "AzureCliCredential",
                entra.resource_scope,
                subscription="no-such-subscription",
                process_timeout=PATIENCE,
            )

        assert not isinstance(refused.value, CredentialUnavailableError)

    def test_a_refusal_of_the_authority_is_passed_on(self, get_token: GetToken, entra: EntraEmulator) -> None:
        """An account whose secret has expired: the error has Entra's code, and is none of 'could not try'."""
        description = "AADSTS7000222: The provided client secret keys for app are expired."
        entra.faults.add("token", status=401, body={"error": "invalid_client", "error_description": description})

        with pytest.raises(ClientAuthenticationError, match="AADSTS7000222") as refused:
            get_token(
                "AzureCliCredential",
                "https://cognitiveservices.azure.com/.default",
                process_timeout=PATIENCE,
            )

        assert not isinstance(refused.value, CredentialUnavailableError)

    def test_a_claims_challenge_needs_a_person(self, get_token: GetToken, entra: EntraEmulator) -> None:
        """The error has the command to run, with the challenge in base64."""
        claims = '{"access_token": {"acrs": {"essential": true, "value": "c1"}}}'
        with pytest.raises(CredentialUnavailableError, match="az login --claims-challenge") as hint:
            get_token("AzureCliCredential", entra.resource_scope, claims=claims)

        words = hint.value.message.split()
        challenge = words[words.index("--claims-challenge") + 1]
        assert json.loads(base64.b64decode(challenge)) == json.loads(claims)
        assert words[words.index("--scope") + 1] == entra.resource_scope

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
    def test_a_slow_tool_is_stopped(
        self, get_token: GetToken, entra: EntraEmulator, az_in_environment: AzureCli
    ) -> None:
        """After process_timeout nothing of it is left, and the error says what can be done."""
        with pytest.raises(CredentialUnavailableError, match="process_timeout"):
            get_token("AzureCliCredential", entra.resource_scope, process_timeout=0.1)

        assert running_with(az_in_environment.directory) == []

    def test_the_default_chain_finds_it(
        self, get_token: GetToken, entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Among the developer tools, DefaultAzureCredential comes to the Azure CLI."""
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "dev")
        token = get_token("DefaultAzureCredential", entra.resource_scope, process_timeout=PATIENCE)

        assert claims_of(token.token)["appid"] == entra.app.client_id

    def test_it_can_be_chosen_by_name(
        self, get_token: GetToken, entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """AZURE_TOKEN_CREDENTIALS=AzureCliCredential wins over a service principal in the environment."""
        principal = {**entra.environment(app=entra.add_app()), "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}
        for name, value in principal.items():
            monkeypatch.setenv(name, value)
        token = get_token("DefaultAzureCredential", entra.resource_scope, process_timeout=PATIENCE)

        assert claims_of(token.token)["appid"] == entra.app.client_id


def test_signed_out(
    get_token: GetToken, entra: EntraEmulator, signed_out: AzureCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has signed in: the credential could not try, and says how to."""
    enter(signed_out, monkeypatch)

    with pytest.raises(CredentialUnavailableError, match="az login"):
        get_token("AzureCliCredential", entra.resource_scope, process_timeout=PATIENCE)


def test_signed_out_in_the_default_chain(
    get_token: GetToken, entra: EntraEmulator, signed_out: AzureCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain's error is of the kind 'could not try' as well, and tells the same."""
    enter(signed_out, monkeypatch)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "dev")

    with pytest.raises(CredentialUnavailableError, match="az login"):
        get_token("DefaultAzureCredential", entra.resource_scope, process_timeout=PATIENCE)


def running_with(directory: Path) -> list[int]:
    """Ids of the processes that were started with `directory` as their configuration directory."""
    mark = f"AZURE_CONFIG_DIR={directory}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue  # gone already, or somebody else's
    return found
