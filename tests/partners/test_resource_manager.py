"""A client of Azure Resource Manager, against the emulator's list of subscriptions, behind a claims challenge."""

from __future__ import annotations

import json
from typing import Any

import pytest

import azure.identity
import azure.identity.aio
from entra_emulator import EntraEmulator, claims_challenge
from partners.finding import module

pytestmark = pytest.mark.partner

SCOPE = "https://management.azure.com/.default"
CLAIMS = {"access_token": {"nbf": {"essential": True, "value": "1700000000"}}}


@pytest.fixture
def arm() -> Any:
    return module("azure.mgmt.resource.subscriptions", "azure-mgmt-resource-subscriptions")


@pytest.fixture
def arm_aio() -> Any:
    return module("azure.mgmt.resource.subscriptions.aio", "azure-mgmt-resource-subscriptions")


@pytest.fixture
def challenging(entra_env: EntraEmulator) -> EntraEmulator:
    """An emulator whose Resource Manager refuses the first request with a claims challenge."""
    entra_env.faults.add("subscriptions", times=1, status=401, headers={"WWW-Authenticate": claims_challenge(CLAIMS)})
    return entra_env


def options(entra: EntraEmulator) -> dict[str, Any]:
    """Where Resource Manager is. Subscription lists are not bound to one."""
    return {"base_url": entra.authority, "credential_scopes": [SCOPE]}


def check(entra: EntraEmulator) -> None:
    """Two token requests: the second carries the claims of the challenge. Three requests to Resource Manager."""
    first, second = entra.requests.to("token")
    assert entra.requests.count("subscriptions") == 3
    assert "nbf" not in first.form.get("claims", "")
    assert json.loads(second.form["claims"])["access_token"]["nbf"] == CLAIMS["access_token"]["nbf"]
    refused, accepted, again = (request.headers["Authorization"] for request in entra.requests.to("subscriptions"))
    assert refused != accepted
    assert accepted == again


def test_a_claims_challenge_is_met(arm: Any, challenging: EntraEmulator) -> None:
    """The client is refused, asks for a token with the claims, succeeds, and stays with that token."""
    with azure.identity.DefaultAzureCredential() as credential:
        with arm.SubscriptionClient(credential, **options(challenging)) as client:
            for _ in range(2):
                (subscription,) = client.subscriptions.list()
                assert subscription.tenant_id == challenging.tenant.id

    check(challenging)


async def test_a_claims_challenge_is_met_by_the_async_client(arm_aio: Any, challenging: EntraEmulator) -> None:
    """The async client and credential do the same."""
    async with azure.identity.aio.DefaultAzureCredential() as credential:
        # aiohttp reads the trust store when it is imported, which was before the environment changed.
        async with arm_aio.SubscriptionClient(
            credential, connection_verify=challenging.ca_file, **options(challenging)
        ) as client:
            for _ in range(2):
                (subscription,) = [one async for one in client.subscriptions.list()]
                assert subscription.tenant_id == challenging.tenant.id

    check(challenging)
