"""Fixtures for programs that are run as they are, in the small cloud of cloud.py."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest

from hermetic.places import ADDRESSES
from partners.finding import missing, module, partner_directory, program

HERE = Path(__file__).parent
WRAPPER = HERE.parents[1] / "tools" / "hermetic.sh"
_TIMEOUT = 120.0
"""Seconds for one program, with whatever has to be started first."""
_LAST_WORDS = 30.0
"""Seconds until the cloud has gone."""


@dataclass(frozen=True)
class Outcome:
    """How a program ended, and what the authority was asked. Ids appear as the placeholders they stood for."""

    status: int
    printed: str
    complained: str
    """What it wrote to standard error."""
    asked: List[str]
    """Endpoint and Host header of each request, in order."""
    requests: List[Dict[str, Any]] = field(repr=False)
    """The same requests in detail: endpoint, host, path, query, metadata (that header), status, form,
    assertion_header."""

    def to(self, endpoint: str) -> List[Dict[str, Any]]:
        """The requests to one endpoint."""
        return [request for request in self.requests if request["endpoint"] == endpoint]


class Runner:
    """Orders from a cloud what tests want to see."""

    def __init__(self, cloud: subprocess.Popen[str]) -> None:
        self._cloud = cloud

    def __call__(
        self, name: str, surroundings: str = "nothing", variables: Optional[Dict[str, str]] = None, status: int = 0
    ) -> Outcome:
        """Run `programs/name` to its end.

        :param surroundings: a name in `SURROUNDINGS`.
        :param variables: more environment variables. Their values may have placeholders, too.
        :param status: the exit status it has to have.
        """
        _need(name, surroundings)
        order = {"program": name, "surroundings": surroundings, "variables": variables or {}}
        answer = self._ask(json.dumps(order))
        assert "failed" not in answer, answer.get("failed")
        outcome = Outcome(**answer)
        assert outcome.status == status, outcome.complained or outcome.printed
        return outcome

    def _ask(self, order: str) -> Dict[str, Any]:
        assert self._cloud.stdin is not None and self._cloud.stdout is not None
        watchdog = threading.Timer(_TIMEOUT, lambda: os.killpg(self._cloud.pid, signal.SIGKILL))
        watchdog.start()
        try:
            self._cloud.stdin.write(order + "\n")
            self._cloud.stdin.flush()
            answer = self._cloud.stdout.readline()
        finally:
            watchdog.cancel()
        if not answer:
            pytest.fail("the cloud has ended; its standard error is above", pytrace=False)
        read: Dict[str, Any] = json.loads(answer)
        return read


def _need(name: str, surroundings: str) -> None:
    """The partner programs that a program runs with."""
    if name.startswith("blob"):
        module("azure.storage.blob", "azure-storage-blob")
        program("node")
        partner_directory("azurite")
    if name.startswith("read_secret"):
        module("azure.keyvault.secrets", "azure-keyvault-secrets")
    if name.startswith("openai"):
        module("openai", "openai")
    if surroundings == "developer":
        partner_directory("azure-cli")


@pytest.fixture(scope="session")
def run() -> Iterator[Runner]:
    """Run one of the programs in a network of its own."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        missing("root on Linux (for network namespaces)")
    for tool in ("bash", "unshare", "ip"):
        if shutil.which(tool) is None:
            missing(f"the program {tool} (util-linux, iproute2)")
    places = [f"{address}={','.join(names)}" for address, names in ADDRESSES.items()]
    with subprocess.Popen(
        [str(WRAPPER), *places, "--", sys.executable, str(HERE / "cloud.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,  # so that it can be ended with all that it started
    ) as cloud:
        try:
            assert cloud.stdout is not None and cloud.stdin is not None
            assert cloud.stdout.readline() == "ready\n", "the cloud did not start; its standard error is above"
            yield Runner(cloud)
            cloud.stdin.close()
            assert cloud.wait(_LAST_WORDS) == 0
        finally:
            if cloud.poll() is None:
                os.killpg(cloud.pid, signal.SIGKILL)
