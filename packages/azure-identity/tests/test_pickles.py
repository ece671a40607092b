"""Pickles that an earlier build made (on 2026-11-25, before modules got their rooms) load and work."""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import azure.identity
from azure.identity._errors.errors import AuthenticationFailedError

PICKLES: dict[str, str] = json.loads((Path(__file__).parent / "pickles.json").read_text(encoding="ascii"))
"""What was pickled, by the public name of its class, in base64."""


def load(name: str) -> Any:
    return pickle.loads(base64.b64decode(PICKLES[name]))


@pytest.mark.parametrize("name", sorted(name for name in PICKLES if not name.endswith("FailedError")))
def test_it_loads_as_what_it_was(name: str) -> None:
    package, _, cls = name.rpartition(".")
    module = sys.modules[package] if package in sys.modules else __import__(package, fromlist=[cls])

    assert type(load(name)) is getattr(module, cls)


def test_what_it_held_is_there() -> None:
    """The identity, the chain's members, the reason of a failure."""
    record = load("azure.identity.AuthenticationRecord")
    failure = load("azure.identity.AuthenticationFailedError")
    required = load("azure.identity.AuthenticationRequiredError")
    members = [type(member).__name__ for member in load("azure.identity.DefaultAzureCredential").credentials]

    assert (record.tenant_id, record.client_id, record.username) == ("tenant", "client", "user")
    assert type(failure) is AuthenticationFailedError
    assert (failure.message, failure.error_code, failure.error_codes) == ("refused", "invalid_client", (7000215,))
    assert (required.scopes, required.claims) == (["scope"], "{}")
    assert members[0] == "EnvironmentCredential" and "AzureCliCredential" in members


def test_the_former_places_are_asked_for_nothing_else() -> None:
    """Nobody pays for them who does not come through them; what never was anywhere is not found."""
    program = """
import sys
import azure.identity
azure.identity.DefaultAzureCredential
assert not any("_old_doors" in name for name in sys.modules)
import azure.identity._credentials.imds as former
import azure.identity._hosts.imds as now
assert former is now is sys.modules["azure.identity._credentials.imds"]
assert now.__spec__.name == "azure.identity._hosts.imds"
try:
    import azure.identity._never_was
except ModuleNotFoundError as error:
    assert error.name == "azure.identity._never_was"
else:
    raise AssertionError
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("place", ["_flow", "_managed_host", "_messages", "_record", "_settings"])
def test_each_former_place_is_the_module_itself(place: str) -> None:
    from importlib import import_module

    from azure.identity._old_doors import PLACES

    former = import_module(f"azure.identity.{place}")

    assert former is import_module(f"azure.identity.{PLACES[place]}")
    assert azure.identity.__name__ == "azure.identity"
