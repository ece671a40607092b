"""A protected API refuses a token and says what it wants; azure-core's policies ask us for that, and get through."""

from __future__ import annotations

import json
from typing import Any

import azure.core
import credentials
import pytest
from protected_api import get
from worlds import World

from entra_emulator import EntraEmulator, claims_challenge

HANDLES_CHALLENGES = tuple(int(part) for part in azure.core.__version__.split(".")[:2]) >= (1, 32)
CLAIMS = {"access_token": {"nbf": {"essential": True, "value": "1604106651"}}}


@pytest.fixture
def credential(world: World, entra: EntraEmulator) -> Any:
    return world.make(
        "ClientSecretCredential",
        entra.tenant.id,
        entra.app.client_id,
        credentials.SECRET,
        authority=entra.authority,
    )


def test_a_client_gets_through(world: World, entra: EntraEmulator, credential: Any) -> None:
    first, second = get(world, entra, credential, 2)

    assert (first.status_code, second.status_code, entra.requests.count("token")) == (200, 200, 1)


@pytest.mark.skipif(not HANDLES_CHALLENGES, reason="this azure-core's policies do not handle claims challenges")
@pytest.mark.parametrize("cae", [False, True])
def test_a_challenge_is_answered_with_a_new_token(
    world: World, entra: EntraEmulator, credential: Any, cae: bool
) -> None:
    """401, a new token with the claims that were asked for, 200. The refused token is not used again."""
    refused = world.ask(credential.get_token, entra.resource_scope, enable_cae=cae).token
    entra.faults.add("resource", times=1, status=401, headers={"WWW-Authenticate": claims_challenge(CLAIMS)})
    [answer] = get(world, entra, credential, enable_cae=cae)
    sent = json.loads(entra.requests.last("token").form["claims"])

    assert (answer.status_code, entra.requests.count("token")) == (200, 2)
    assert sent["access_token"]["nbf"] == CLAIMS["access_token"]["nbf"]
    assert ("xms_cc" in sent["access_token"]) == cae
    current = world.ask(credential.get_token, entra.resource_scope, enable_cae=cae).token
    assert current != refused
    assert entra.requests.count("token") == 2


def test_malformed_claims_are_refused_before_anything_is_sent(
    world: World, entra: EntraEmulator, credential: Any
) -> None:
    with pytest.raises(ValueError, match="claims must be a JSON object"):
        world.ask(credential.get_token, entra.resource_scope, claims="eyJub3QiOiJkZWNvZGVkIn0=")
    assert entra.requests.count() == 0
