"""Unmodified programs, with the default authority and real service addresses, where only this machine is reachable."""

from __future__ import annotations

import pytest

from hermetic.conftest import Runner
from hermetic.places import AUTHORITY, OTHER_AUTHORITY

pytestmark = pytest.mark.partner


def test_nothing_but_this_machine_can_be_reached(run: Runner) -> None:
    """The namespace has the loopback interface only, and names of services that are not here do not resolve."""
    printed = run("interfaces.py").printed

    assert printed == "lo\nmanagement.azure.com cannot be resolved\n"


def test_an_unknown_authority_is_vouched_for_by_the_default_one(run: Runner) -> None:
    """Before a secret goes to another host, login.microsoftonline.com is asked whether that host is one of its own."""
    outcome = run("other_authority.py", "secret")

    assert outcome.asked[0] == f"instance {AUTHORITY}"
    assert outcome.asked[-1] == f"token {OTHER_AUTHORITY}"
    assert [asked for asked in outcome.asked if asked.startswith("token")] == [f"token {OTHER_AUTHORITY}"]


def test_a_vault_at_its_own_address(run: Runner) -> None:
    """Key Vault's client learns from the challenge whom to ask; the vault checks the token's signature and audience."""
    outcome = run("read_secret.py", "secret")

    assert outcome.printed == "good morning\n"
    assert [asked for asked in outcome.asked if not asked.startswith("keys")] == [f"token {AUTHORITY}"]
