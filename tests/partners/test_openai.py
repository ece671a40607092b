"""The openai package's Azure clients, with a bearer token provider, against chat completions that check the token."""

from __future__ import annotations

from typing import Any

import pytest

import azure.identity
import azure.identity.aio
from entra_emulator import EntraEmulator
from partners.finding import module

pytestmark = pytest.mark.partner

SCOPE = "https://cognitiveservices.azure.com/.default"
QUESTION = [{"role": "user", "content": "good morning"}]


@pytest.fixture
def openai() -> Any:
    return module("openai", "openai")


def options(entra: EntraEmulator, provider: Any) -> dict[str, Any]:
    """What a program would pass to either client."""
    return {
        "azure_endpoint": entra.authority,
        "azure_ad_token_provider": provider,
        "api_version": "2024-10-21",
        "max_retries": 0,
    }


def test_a_chat_completion(openai: Any, entra_env: EntraEmulator) -> None:
    """Two questions are answered with one token."""
    with azure.identity.DefaultAzureCredential() as credential:
        provider = azure.identity.get_bearer_token_provider(credential, SCOPE)
        with openai.AzureOpenAI(**options(entra_env, provider)) as client:
            for _ in range(2):
                answer = client.chat.completions.create(model="a-model", messages=QUESTION)
                assert "good morning" in answer.choices[0].message.content

    assert entra_env.requests.count("chat") == 2
    assert entra_env.requests.count("token") == 1


async def test_an_async_chat_completion(openai: Any, entra_env: EntraEmulator) -> None:
    """The async client takes the async provider."""
    async with azure.identity.aio.DefaultAzureCredential() as credential:
        provider = azure.identity.aio.get_bearer_token_provider(credential, SCOPE)
        async with openai.AsyncAzureOpenAI(**options(entra_env, provider)) as client:
            for _ in range(2):
                answer = await client.chat.completions.create(model="a-model", messages=QUESTION)
                assert "good morning" in answer.choices[0].message.content

    assert entra_env.requests.count("chat") == 2
    assert entra_env.requests.count("token") == 1


def test_a_token_for_another_service_is_refused(openai: Any, entra_env: EntraEmulator) -> None:
    """The stub looks at the token: one for Key Vault gets 401, which openai reports as AuthenticationError."""
    with azure.identity.DefaultAzureCredential() as credential:
        provider = azure.identity.get_bearer_token_provider(credential, "https://vault.azure.net/.default")
        with openai.AzureOpenAI(**options(entra_env, provider)) as client:
            with pytest.raises(openai.AuthenticationError):
                client.chat.completions.create(model="a-model", messages=QUESTION)


def test_a_refused_secret_reaches_the_program_as_it_is(
    openai: Any, entra_env: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """openai lets the credential's own error through, and sends nothing."""
    from azure.core.exceptions import ClientAuthenticationError

    monkeypatch.setenv("AZURE_CLIENT_SECRET", "not-the-secret")
    with azure.identity.DefaultAzureCredential() as credential:
        provider = azure.identity.get_bearer_token_provider(credential, SCOPE)
        with openai.AzureOpenAI(**options(entra_env, provider)) as client:
            with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
                client.chat.completions.create(model="a-model", messages=QUESTION)

    assert entra_env.requests.count("chat") == 0
