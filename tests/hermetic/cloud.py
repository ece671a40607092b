"""A small cloud on loopback addresses: the default authority, a storage account, a key vault, an API to call.

Runs inside tools/hermetic.sh, which makes the host names lead here. Programs are run as they are: they are told neither
the authority's nor any service's address. What they find around them (a virtual machine's metadata service, a person,
an Azure CLI that is signed in) is in surroundings.py.

Reads one order a line from standard input, a JSON object: `program`, `surroundings`, `variables`. Writes one answer
for each: see `Outcome` in conftest.py. Ends at the end of its input.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import jwt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from entra_emulator import EntraEmulator, LoggedRequest
from hermetic import vault
from hermetic.pipelines import PipelinesServer
from hermetic.places import API, AUTHORITY, AZURE_DEVOPS, OPENAI, OTHER_AUTHORITY, SOVEREIGN, STORAGE
from hermetic.surroundings import SURROUNDINGS, Surroundings
from partners.azure_cli import AzureCli
from partners.azurite import Azurite

_PROGRAMS = Path(__file__).parent / "programs"
_TIMEOUT = 60.0
"""Seconds a program may take."""
_SHOWN = ("grant_type", "scope", "client_id", "client_assertion_type", "requested_token_use")
"""Fields of a form that are reported: none of these is a secret."""

_SECRETS = ("<client-secret>", "<password>", "<incoming-user-jwt>", "eyJ")
"""What no program may show. Every JWT begins with the last one."""


class Cloud:
    """Everything that keeps running between programs.

    :param directory: where it may write.
    :param stack: closes what is started here.
    """

    def __init__(self, directory: Path, stack: contextlib.ExitStack) -> None:
        self.directory = directory
        self._stack = stack
        names = (AUTHORITY, OTHER_AUTHORITY, *SOVEREIGN, OPENAI, API)
        self.entra = stack.enter_context(EntraEmulator(port=443, names=names, imds_address=("169.254.169.254", 80)))
        self._certificate, self._key = self.entra.issue_certificate(STORAGE, vault.HOST, AZURE_DEVOPS)
        tenant = f"https://{AUTHORITY}/{self.entra.tenant.id}"
        stack.enter_context(vault.Vault("127.0.0.3", tenant, self._certificate, self._key, self.entra.ca_file))
        stack.enter_context(PipelinesServer("127.0.0.4", self._certificate, self._key, self.entra.federated_token))
        self._azurite: Optional[Azurite] = None
        self._azure_cli: Optional[AzureCli] = None

    @property
    def trust(self) -> Dict[str, str]:
        """The variables that make programs trust the certificates here."""
        return {"REQUESTS_CA_BUNDLE": self.entra.ca_bundle_file, "SSL_CERT_FILE": self.entra.ca_bundle_file}

    def start_storage(self) -> None:
        """Start Azurite, which takes some seconds, unless it runs."""
        if self._azurite is None:
            azurite = Azurite(self._certificate, self._key, self.directory, host="127.0.0.2", port=443)
            self._azurite = self._stack.enter_context(azurite)

    def azure_cli(self) -> AzureCli:
        """An Azure CLI that is signed in as the default app. The first call takes some seconds."""
        if self._azure_cli is None:
            cli = AzureCli(self.directory / "azure", self.entra)
            cli.use_emulator()
            cli.sign_in(self.entra.app)
            self._azure_cli = cli
        return self._azure_cli

    def run(self, program: str, surroundings: str, variables: Mapping[str, str]) -> Dict[str, Any]:
        """Run a program in fresh surroundings. Returns what there is to say about it."""
        self.entra.reset()
        if program.startswith("blob"):
            self.start_storage()
        with tempfile.TemporaryDirectory(prefix="home-", dir=self.directory) as home:
            with SURROUNDINGS[surroundings](self, Path(home)) as around:
                self.entra.requests.clear()  # what it took to make the surroundings
                prepare(program, Path(home), around.placeholders)
                given = {name: fill_in(value, around.placeholders) for name, value in variables.items()}
                environment = {**self._basis(Path(home)), **around.variables, **given}
                done = execute(program, Path(home), environment, around)
                around.check()
            asked = list(self.entra.requests)
        printed, complained = (show(text, around) for text in done)
        for secret in _SECRETS:
            assert secret not in printed + complained, f"{program} shows {secret}"
        return {
            "status": around.status,
            "printed": printed,
            "complained": complained,
            "asked": [f"{request.endpoint} {request.headers['Host']}" for request in asked],
            "requests": [describe(request, around) for request in asked],
        }

    def _basis(self, home: Path) -> Dict[str, str]:
        """The environment of every program: nothing of this process's own."""
        empty = home / "bin"
        empty.mkdir()
        return {
            **self.trust,
            "HOME": str(home),
            "PATH": str(empty),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "error::ResourceWarning",
        }


def prepare(program: str, home: Path, placeholders: Mapping[str, str]) -> None:
    """Put the program into `home`, with what stands in angle brackets (or is a made-up path) replaced."""
    text = (_PROGRAMS / program).read_text(encoding="utf-8")
    (home / program).write_text(fill_in(text, placeholders), encoding="utf-8")
    shutil.copy(_PROGRAMS / "caller.py", home)


def fill_in(text: str, placeholders: Mapping[str, str]) -> str:
    """`text` with values in the place of placeholders."""
    for placeholder, value in placeholders.items():
        text = text.replace(placeholder, value)
    return text


def execute(program: str, home: Path, environment: Mapping[str, str], around: Surroundings) -> Tuple[str, str]:
    """Run it to its end, or for `_TIMEOUT` seconds. Returns what it printed, and what it wrote to standard error.

    Lines are passed on as they come: a person may be needed to read them.
    """
    lines: List[str] = []
    with (home / "complaints").open("w+", encoding="utf-8") as complaints:
        with subprocess.Popen(
            [sys.executable, str(home / program)],
            env=dict(environment),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            encoding="utf-8",
        ) as process:
            watchdog = threading.Timer(_TIMEOUT, process.kill)
            watchdog.start()
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line)
                    around.read(line)
                around.status = process.wait(_TIMEOUT)
            finally:
                watchdog.cancel()
                process.kill()
        complaints.seek(0)
        return "".join(lines), complaints.read()


def show(text: str, around: Surroundings) -> str:
    """`text` with ids turned back into the names they stand for, the longest first."""
    names = {**around.placeholders, **around.names}
    for name, value in sorted(names.items(), key=lambda one: -len(one[1])):
        text = text.replace(value, name)
    return text


def describe(request: LoggedRequest, around: Surroundings) -> Dict[str, Any]:
    """A request, without what is secret."""
    form = {name: show(request.form[name], around) for name in _SHOWN if name in request.form}
    assertion = request.form.get("client_assertion")
    return {
        "endpoint": request.endpoint,
        "host": request.headers["Host"],
        "path": show(request.path, around),
        "query": {name: show(value, around) for name, value in request.query.items()},
        "metadata": request.headers.get("Metadata"),
        "status": request.status,
        "form": form,
        "assertion_header": sorted(jwt.get_unverified_header(assertion)) if assertion else [],
    }


def answers(cloud: Cloud, orders: Iterator[str]) -> Iterator[Dict[str, Any]]:
    """Carry out orders, one a line."""
    for line in orders:
        try:
            yield cloud.run(**json.loads(line))
        except BaseException as error:  # pytest's own skips and failures are no Exceptions
            if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
                raise
            yield {"failed": traceback.format_exc()}


def main() -> int:
    """Serve until the input ends."""
    interfaces = [name for _, name in socket.if_nameindex()]
    if interfaces != ["lo"]:
        print("cloud.py: expected a network of its own, as tools/hermetic.sh makes it", file=sys.stderr)
        return 64
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hermetic-")))
        cloud = Cloud(directory, stack)
        os.environ.update(cloud.trust)
        print("ready", flush=True)
        for answer in answers(cloud, iter(sys.stdin)):
            print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
