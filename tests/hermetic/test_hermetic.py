"""Unmodified programs, with the default authority and real service addresses, where only this machine is reachable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, List, NamedTuple

import pytest

from hermetic.cloud import ADDRESSES, AUTHORITY, OTHER_AUTHORITY
from partners.finding import missing, module, partner_directory, program

pytestmark = pytest.mark.partner

HERE = Path(__file__).parent
WRAPPER = HERE.parents[1] / "tools" / "hermetic.sh"
_TIMEOUT = 120.0
"""Seconds for the cloud and its program together."""


class Outcome(NamedTuple):
    """What a program printed, and what the authority was asked: endpoint and Host header of each request."""

    printed: str
    asked: List[str]


Run = Callable[[str], Outcome]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run one of the programs in a network of its own."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        missing("root on Linux (for network namespaces)")
    for tool in ("bash", "unshare", "ip"):
        if shutil.which(tool) is None:
            missing(f"the program {tool} (util-linux, iproute2)")

    def run_one(name: str) -> Outcome:
        report = tmp_path / "report.json"
        places = [f"{address}={','.join(names)}" for address, names in ADDRESSES.items()]
        done = subprocess.run(
            [str(WRAPPER), *places, "--", sys.executable, str(HERE / "cloud.py"), str(report), name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Outcome(done.stdout, json.loads(report.read_text(encoding="utf-8")))

    return run_one


def test_nothing_but_this_machine_can_be_reached(run: Run) -> None:
    """The namespace has the loopback interface only, and names of services that are not here do not resolve."""
    printed = run("interfaces.py").printed

    assert printed == "lo\nmanagement.azure.com cannot be resolved\n"


def test_tokens_by_the_default_authority(run: Run) -> None:
    """DefaultAzureCredential without any address: two scopes, two requests to login.microsoftonline.com, no others."""
    outcome = run("get_token.py")

    assert outcome.printed.startswith("Token expires: ")
    assert outcome.asked == [f"token {AUTHORITY}"] * 2


def test_an_unknown_authority_is_vouched_for_by_the_default_one(run: Run) -> None:
    """Before a secret goes to another host, login.microsoftonline.com is asked whether that host is one of its own."""
    outcome = run("other_authority.py")

    assert outcome.asked[0] == f"instance {AUTHORITY}"
    assert outcome.asked[-1] == f"token {OTHER_AUTHORITY}"
    assert [asked for asked in outcome.asked if asked.startswith("token")] == [f"token {OTHER_AUTHORITY}"]


@pytest.mark.parametrize("name", ["blob.py", "blob_async.py"])
def test_blob_storage_at_its_own_address(run: Run, name: str) -> None:
    """The README's program, in full: an account's address, a container, a blob. One token request."""
    module("azure.storage.blob", "azure-storage-blob")
    program("node")
    partner_directory("azurite")
    outcome = run(name)

    assert outcome.printed == "good morning\n"
    assert outcome.asked == [f"token {AUTHORITY}"]


def test_a_vault_at_its_own_address(run: Run) -> None:
    """Key Vault's client learns from the challenge whom to ask; the vault checks the token's signature and audience."""
    module("azure.keyvault.secrets", "azure-keyvault-secrets")
    outcome = run("read_secret.py")

    assert outcome.printed == "good morning\n"
    assert [asked for asked in outcome.asked if not asked.startswith("keys")] == [f"token {AUTHORITY}"]
