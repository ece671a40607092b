"""The command, run as a command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
import requests

from entra_emulator.command.main import main

TIMEOUT = 30


class Command:
    """Starts the command with free ports, and ends what was started."""

    def __init__(self, key_dir: Path) -> None:
        self._key_dir = key_dir
        self._started: List[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "entra_emulator", "--key-dir", str(self._key_dir)),
                *("--port", "0", "--http-port", "0", *arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        self._started.append(process)
        return process

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=TIMEOUT)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=TIMEOUT)


@pytest.fixture
def command(key_dir: Path) -> Iterator[Command]:
    starter = Command(key_dir)
    yield starter
    starter.close()


def read_lines(process: subprocess.Popen[str], count: int) -> List[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def finish(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, out, err


def token_with(variables: Dict[str, str]) -> requests.Response:
    with requests.Session() as session:
        session.trust_env, session.verify = False, variables["REQUESTS_CA_BUNDLE"]
        return session.post(
            f"{variables['AZURE_AUTHORITY_HOST']}/{variables['AZURE_TENANT_ID']}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": variables["AZURE_CLIENT_ID"],
                "client_secret": variables["AZURE_CLIENT_SECRET"],
                "scope": ".default",
            },
            timeout=10,
        )


@pytest.mark.parametrize(
    ("shell", "number", "start"),
    [
        ("bash", signal.SIGINT, "export AZURE_AUTHORITY_HOST=https://localhost:"),
        ("fish", signal.SIGTERM, "set -gx AZURE_AUTHORITY_HOST 'https://localhost:"),
        ("powershell", signal.SIGINT, "$env:AZURE_AUTHORITY_HOST = 'https://localhost:"),
        ("cmd", signal.SIGTERM, 'set "AZURE_AUTHORITY_HOST=https://localhost:'),
        ("dotenv", signal.SIGINT, 'AZURE_AUTHORITY_HOST="https://localhost:'),
    ],
)
def test_prints_the_environment(command: Command, shell: str, number: signal.Signals, start: str):
    """Standard output has the environment in the shell's syntax, standard error the rest; a signal ends it well."""
    process = command.start("--shell", shell)
    lines = read_lines(process, 6)
    code, rest, err = finish(process, number)

    assert lines[0].startswith(start)
    assert ["AZURE_TENANT_ID" in lines[1], "AZURE_CLIENT_ID" in lines[2], "AZURE_CLIENT_SECRET" in lines[3]] == [
        True
    ] * 3
    assert (code, rest) == (0, "")
    assert "a local Microsoft Entra ID" in err
    assert err.endswith("Stopped.\n")
    assert "Traceback" not in err


def test_serves(command: Command, tmp_path: Path):
    """The environment it writes to a file works, and requests are shown without secrets."""
    file = tmp_path / ".env"
    process = command.start("--env-file", str(file), "--verbose", "--token-lifetime", "60", "--shell", "dotenv")
    lines = read_lines(process, 6)
    variables = dict(line.split("=", 1) for line in file.read_text().splitlines())
    variables = {name: value.strip('"') for name, value in variables.items()}
    answer = token_with(variables)
    code, _, err = finish(process, signal.SIGTERM)

    assert file.read_text().splitlines()[:6] == lines
    assert os.name == "nt" or file.stat().st_mode & 0o777 == 0o600
    assert answer.json()["expires_in"] == 60
    assert code == 0
    assert f"POST /{variables['AZURE_TENANT_ID']}/oauth2/v2.0/token 200" in err
    assert variables["AZURE_CLIENT_SECRET"] not in err


def test_permissive(command: Command):
    """A permissive emulator takes any app and secret, and says that it is one."""
    process = command.start("--permissive", "--shell", "dotenv")
    lines = dict(line.split("=", 1) for line in read_lines(process, 6))
    variables = {name: value.strip('"') for name, value in lines.items()}
    answer = token_with({**variables, "AZURE_CLIENT_ID": "any", "AZURE_CLIENT_SECRET": "any"})
    _, _, err = finish(process, signal.SIGINT)

    assert answer.status_code == 200
    assert "(permissive)" in err


@pytest.mark.parametrize("credential", ["certificate", "federated"])
def test_other_credentials(command: Command, credential: str):
    """The environment may name a certificate or a federated token instead; --quiet prints nothing else."""
    process = command.start("--credential", credential, "--quiet", "--shell", "dotenv")
    lines = dict(line.split("=", 1) for line in read_lines(process, 6))
    name = {"certificate": "AZURE_CLIENT_CERTIFICATE_PATH", "federated": "AZURE_FEDERATED_TOKEN_FILE"}[credential]

    assert Path(lines[name].strip('"')).read_bytes()
    assert finish(process, signal.SIGTERM) == (0, "", "")


SHOW = """
import json, os
print(json.dumps({name: value for name, value in os.environ.items() if name.startswith("AZURE_")}))
raise SystemExit(7)
"""


def test_runs_a_command(command: Command):
    """A command runs in the environment, without other Azure variables; its exit code is passed on."""
    done = command.run("--", sys.executable, "-c", SHOW, AZURE_STALE="1")
    found = json.loads(done.stdout)

    assert done.returncode == 7
    assert set(found) == {"AZURE_AUTHORITY_HOST", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"}
    assert done.stderr == ""


def test_command_not_found(command: Command):
    """As in a shell, a command that does not exist is 127."""
    done = command.run("--", "no-such-command-at-all")

    assert done.returncode == 127
    assert "no-such-command-at-all: command not found" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_passes_sigterm_on(command: Command, tmp_path: Path, wait_for: Any):
    """The emulator does not leave its command behind."""
    mark = tmp_path / "pid"
    script = f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(60)"
    process = command.start("--", sys.executable, "-c", script)
    wait_for(lambda: mark.exists() and mark.read_text() != "")
    start = time.monotonic()
    code, _, _ = finish(process, signal.SIGTERM)

    assert code == 128 + signal.SIGTERM
    assert time.monotonic() - start < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_installed_command():
    """The entry point exists and knows its version."""
    script = Path(sys.executable).parent / ("entra-emulator.exe" if os.name == "nt" else "entra-emulator")
    if not script.exists():
        pytest.skip("the package is not installed")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=TIMEOUT, check=False)

    assert (done.returncode, done.stdout) == (0, "entra-emulator 0.1.0\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "x"], "expected a port from 0 to 65535"),
        (["--port", "65536"], "expected a port from 0 to 65535"),
        (["--token-lifetime", "0"], "expected SECONDS or LOW-HIGH"),
        (["--token-lifetime", "5-1"], "expected SECONDS or LOW-HIGH"),
        (["--token-lifetime", "5-"], "expected SECONDS or LOW-HIGH"),
        (["--shell", "tcsh"], "invalid choice"),
        (["--strict", "--permissive"], "not allowed with"),
        (["--unknown"], "unrecognized arguments"),
    ],
)
def test_bad_usage(arguments: List[str], message: str, capsys: pytest.CaptureFixture[str]):
    """Bad usage is exit code 2 and says what was expected."""
    with pytest.raises(SystemExit) as end:
        main(arguments)

    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_cannot_serve(key_dir: Path, entra: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """What keeps it from serving is one line on standard error, and exit code 1."""
    keys = ["--key-dir", str(key_dir), "--http-port", "0"]

    assert main([*keys, "--port", str(entra.port)]) == 1
    assert main([*keys, "--host", "192.0.2.1"]) == 1
    assert main([*keys, "--port", "0", "--env-file", str(tmp_path / "no" / "such")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert f"cannot listen on 127.0.0.1 port {entra.port}" in lines[0]
    assert "allow_remote" in lines[1]


def test_help(capsys: pytest.CaptureFixture[str]):
    """Help has examples."""
    with pytest.raises(SystemExit) as end:
        main(["--help"])

    assert end.value.code == 0
    assert "entra-emulator -- python app.py" in capsys.readouterr().out
