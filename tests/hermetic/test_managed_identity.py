"""Managed identities with IMDS at its real address, 169.254.169.254 port 80, and what happens where it is not."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest

from hermetic.conftest import Outcome, Runner

pytestmark = pytest.mark.partner

MACHINE = "virtual_machine"
MINE, SYSTEM_ASSIGNED = "<client-id> of <tenant-id>\n", "<system-assigned> of <tenant-id>\n"
SELECTORS = ("client_id", "object_id", "msi_res_id")
both_faces = pytest.mark.parametrize("face", ["", "_async"], ids=["sync", "aio"])


def identities_asked_for(outcome: Outcome) -> List[Dict[str, str]]:
    """The ids that each request to IMDS had."""
    return [
        {name: value for name, value in request["query"].items() if name in SELECTORS} for request in outcome.to("imds")
    ]


@both_faces
def test_managed_identity_credential(run: Runner, face: str) -> None:
    """Each of the four ways to name an identity gets that identity's token, with one request; there is no probe."""
    outcome = run(f"managed_identity{face}.py", MACHINE)

    assert outcome.printed == SYSTEM_ASSIGNED + MINE * 3
    assert identities_asked_for(outcome) == [
        {},
        {"client_id": "<client-id>"},
        {"object_id": "<object-id>"},
        {"msi_res_id": "<resource-id>"},
    ]
    assert [request["metadata"] for request in outcome.to("imds")] == ["true"] * 4
    assert {asked.split()[1] for asked in outcome.asked} == {"169.254.169.254", "api.emulator.test"}


@both_faces
def test_default_azure_credential_and_blob_storage(run: Runner, face: str) -> None:
    """On a virtual machine the chain comes to the managed identity: storage is used, and no authority was asked."""
    outcome = run(f"blob{face}.py", MACHINE)

    assert outcome.printed == "good morning\n"
    assert set(outcome.asked) == {"imds 169.254.169.254"}
    assert outcome.to("imds")[-1]["query"]["resource"] == "https://storage.azure.com"


def test_a_chain_looks_before_it_asks(run: Runner) -> None:
    """The first request lacks the required header, which IMDS refuses at once; the second one gets the token."""
    looked, asked = run("environment.py", MACHINE).to("imds")

    assert (looked["metadata"], looked["status"]) == (None, 400)
    assert (asked["metadata"], asked["status"]) == ("true", 200)


def test_a_chain_of_one_does_not_look(run: Runner) -> None:
    """With AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential there is nobody else to ask, so no time is lost."""
    outcome = run("environment.py", MACHINE, {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"})

    assert outcome.printed == SYSTEM_ASSIGNED
    assert [request["metadata"] for request in outcome.to("imds")] == ["true"]


def test_a_machine_without_the_identity(run: Runner) -> None:
    """IMDS says that it has no such identity: the chain goes on, and ends as one in which nobody could try."""
    nobodys = "e0a5c0de-ffff-4000-8000-000000000000"
    outcome = run("error_handling.py", MACHINE, {"AZURE_CLIENT_ID": nobodys})

    assert outcome.printed == "could not attempt\n"
    assert {"client_id": nobodys} in identities_asked_for(outcome)


# ---- away from Azure ----


def seconds(outcome: Outcome) -> Any:
    """What off_azure.py has measured."""
    return json.loads(outcome.printed)


@both_faces
@pytest.mark.parametrize("surroundings", ["silence", "mute_service"])
def test_a_silent_address_holds_a_chain_up_for_a_second(run: Runner, surroundings: str, face: str) -> None:
    """Packets vanish, or are taken and never answered: a second, once. For a minute the chain then knows."""
    took = seconds(run(f"off_azure{face}.py", surroundings))

    assert 0.9 < took["first"] < 3
    assert took["again"] < 0.05
    assert took["another"] < 0.05


@both_faces
@pytest.mark.parametrize("surroundings", ["nothing", "no_service"])
def test_a_refused_connection_holds_nobody_up(run: Runner, surroundings: str, face: str) -> None:
    """No route, or nobody listening: the chain goes on at once."""
    took = seconds(run(f"off_azure{face}.py", surroundings))

    assert took["first"] < 0.9
    assert took["again"] < 0.05
    assert took["another"] < 0.05
