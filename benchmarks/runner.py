"""Runs scenarios: every sample in a fresh process, the sides in turn, nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional

from benchmarks import environments
from benchmarks.catalogue import Scenario
from benchmarks.control import Control

FLOOR = "floor"
SAMPLE_TIMEOUT = 180
"""Seconds one measured process may take."""
_SERVER_TIMEOUT = 60
# Linux: network_namespaces(7), user_namespaces(7). In it nothing can be reached but this: the address of the instance
# metadata service, as one of the program's own machine.
_ISOLATED = (
    *("unshare", "--map-root-user", "--net", "sh", "-euc"),
    'ip link set lo up; ip address add 169.254.169.254/32 dev lo; exec "$@"',
    "isolated",
)


@dataclass
class Measured:
    """The samples of one scenario."""

    samples: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    """By side."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why a side has no (further) samples."""
    missing: tuple[str, ...] = ()
    """Public names that our package lacks: nothing was run."""
    impossible: str = ""
    """Why this machine cannot run it: nothing was run."""

    def values(self, side: str, metric: str) -> list[float]:
        """All samples of a metric."""
        return [sample[metric] for sample in self.samples.get(side, ()) if metric in sample]

    def median(self, side: str, metric: str) -> Optional[float]:
        """The median, or None if there is no sample."""
        values = self.values(side, metric)
        return statistics.median(values) if values else None

    def spread(self, side: str, metric: str) -> Optional[float]:
        """Half the distance between the quartiles, as a share of the median."""
        values = self.values(side, metric)
        if len(values) < 4 or not statistics.median(values):
            return None
        low, _, high = statistics.quantiles(values, n=4)
        return (high - low) / 2 / statistics.median(values)


class Runner:
    """Runs scenarios against one server."""

    def __init__(self, server: dict[str, str], home: Path) -> None:
        self._server = server
        self._home = home
        self._control = Control(int(server["control"]))
        self._names = environments.public_names(environments.OURS)
        self._isolation = can_isolate()

    def warm_up(self) -> None:
        """Bring the files of both sides into the system's cache."""
        for side in (environments.PUBLISHED, environments.OURS):
            for face in ("sync", "aio"):
                run_bounded(self._command(side, "first_token", (face,)), self._environment(), self._home)

    def run(self, scenario: Scenario, *, quick: bool) -> Measured:
        """All samples of a scenario: published, ours, floor, published, ours, floor, ..."""
        measured = Measured(missing=tuple(name for name in scenario.needs if name not in self._names))
        if scenario.isolated and not self._isolation:
            measured.impossible = "needs Linux with unshare, ip, and the right to make namespaces"
        if measured.missing or measured.impossible:
            return measured
        sides = [
            (environments.PUBLISHED, environments.PUBLISHED, scenario.published or scenario.arguments),
            (environments.OURS, environments.OURS, scenario.arguments),
        ]
        if scenario.floor is not None:
            # The floor uses neither package; both environments have the same azure-core, requests and aiohttp.
            sides.append((FLOOR, environments.PUBLISHED, scenario.floor))
        for _ in range(scenario.quick_runs if quick else scenario.runs):
            for side, environment, given in sides:
                if side in measured.failures:
                    continue
                try:
                    sample = self._sample(scenario, environment, given)
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    measured.failures[side] = str(error)
                else:
                    measured.samples.setdefault(side, []).append(sample)
        return measured

    def _sample(self, scenario: Scenario, environment: str, arguments: tuple[str, ...]) -> dict[str, float]:
        self._control.ask("setup", latency=scenario.latency, lifetime=scenario.lifetime)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        command = self._command(environment, scenario.program, arguments)
        if scenario.isolated:
            command = [*_ISOLATED, *command]
        output = run_bounded(command, self._environment(), self._home)
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        sample: dict[str, float] = json.loads(output.splitlines()[-1])
        sample["wall_ms"] = wall * 1000
        sample["cpu_ms"] = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000
        if scenario.network:
            counts = self._control.counts()
            sample["token_requests"], sample["discovery_requests"] = counts["token"], counts["discovery"]
            sample["all_requests"] = counts["token"] + counts["discovery"] + counts["host"]
            sample["connections"] = counts["connections"]
        return sample

    @staticmethod
    def _command(environment: str, program: str, arguments: tuple[str, ...]) -> list[str]:
        path = environments.HERE / "scenarios" / f"{program}.py"
        return [str(environments.python_of(environment)), str(path), *arguments]

    def _environment(self) -> dict[str, str]:
        """Nothing of this process's environment reaches a measured one but where programs are."""
        return {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(environments.ROOT),
            "REQUESTS_CA_BUNDLE": self._server["ca_bundle"],
            "SSL_CERT_FILE": self._server["ca_bundle"],
            "BENCHMARK_SERVER": json.dumps(self._server),
        }


def run_bounded(command: list[str], environment: dict[str, str], folder: Path) -> str:
    """What a program prints. It and its descendants are gone afterwards.

    :raises RuntimeError: it failed; the message ends with what it said.
    :raises subprocess.TimeoutExpired: it took longer than `SAMPLE_TIMEOUT`.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=SAMPLE_TIMEOUT)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise RuntimeError(f"exit status {process.returncode}: {' '.join(errors.split()[-60:])}")
    return output


def can_isolate() -> bool:
    """Whether programs can be started in a network of their own here."""
    try:
        done = subprocess.run([*_ISOLATED, "true"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@contextlib.contextmanager
def running_server() -> Iterator[Runner]:
    """A runner with a server of its own, which stops at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
    environment["PYTHONPATH"] = str(environments.ROOT)
    command = [
        str(environments.python_of(environments.EMULATOR)),
        str(environments.HERE / "server.py"),
        str(environments.ENVIRONMENTS / "keys"),
    ]
    with (
        tempfile.TemporaryDirectory(prefix="benchmarks-") as home,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process,
    ):
        assert process.stdin is not None and process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("the server did not start; what it said is above")
            yield Runner(json.loads(line), Path(home))
        finally:
            process.stdin.close()
            try:
                process.wait(_SERVER_TIMEOUT)
            except subprocess.TimeoutExpired:
                print("the server did not stop by itself", file=sys.stderr)
                process.kill()
