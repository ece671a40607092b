"""The command imitates a host: it prints that host's environment, or runs a program inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

from entra_emulator.command import main as cli
from entra_emulator.hosts.registry import HOSTS

SHOW = "import json, os, sys; json.dump(dict(os.environ), sys.stdout)"


def run(key_dir: Path, *arguments: str, program: str = SHOW) -> Dict[str, Any]:
    """The environment that the command gives to a program."""
    command = [sys.executable, "-m", "entra_emulator", "--key-dir", str(key_dir), "--port", "0", "--http-port", "0"]
    done = subprocess.run(
        [*command, *arguments, "--", sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        timeout=30,
        check=True,
        env={**os.environ, "AZURE_CLIENT_SECRET": "before", "IMDS_ENDPOINT": "before", "IDENTITY_HEADER": "before"},
    )
    answer: Dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("kind", "name"),
    [("imds", "AZURE_POD_IDENTITY_AUTHORITY_HOST"), ("arc", "IMDS_ENDPOINT"), ("app-service", "IDENTITY_HEADER")],
)
def test_program_inside_a_host(key_dir: Path, kind: str, name: str):
    """A program sees the variables of the host, none of another, and trusts the emulator."""
    variables = run(key_dir, "--platform", kind)

    assert variables[name] != "before"
    assert "AZURE_CLIENT_SECRET" not in variables
    assert [one for one in ("IMDS_ENDPOINT", "IDENTITY_HEADER") if variables.get(one) == "before"] == []
    assert variables["SSL_CERT_FILE"] == variables["REQUESTS_CA_BUNDLE"] == str(key_dir / "ca-bundle.pem")


def test_program_gets_a_token(key_dir: Path):
    """The identity that was named has the same client id in every run, and gets a token."""
    program = """
import json, os, sys, urllib.request
query = "?api-version=2019-08-01&resource=https://vault.azure.net&client_id=" + CLIENT_ID
url = os.environ["IDENTITY_ENDPOINT"] + query
request = urllib.request.Request(url, headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]})
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).read().decode())
"""
    client_id = run(key_dir, "--platform", "azure-ml", "--identity", "mine")["DEFAULT_IDENTITY_CLIENT_ID"]
    body = run(
        key_dir,
        *("--platform", "app-service", "--identity", "mine", "--no-system-assigned"),
        program=program.replace("CLIENT_ID", repr(client_id)),
    )

    assert body["client_id"] == client_id.upper()


def test_banner(key_dir: Path):
    """Without a program the command tells the identities, and prints the environment."""
    command = [sys.executable, "-m", "entra_emulator", "--key-dir", str(key_dir), "--port", "0", "--http-port", "0"]
    process = subprocess.Popen(
        [*command, "--platform", "workload-identity", "--identity", "mine", "--shell", "dotenv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        lines = [process.stdout.readline() for _ in range(6)]
    finally:
        process.terminate()
        _, banner = process.communicate(timeout=30)

    variables = dict(line.rstrip("\n").split("=", 1) for line in lines)
    assert f"{json.loads(variables['AZURE_CLIENT_ID'])}   mine" in banner
    assert "entra-emulator-vm" in banner
    assert "AZURE_FEDERATED_TOKEN_FILE" in variables


@pytest.mark.parametrize("text", ["169.254.169.254", ":80", "127.0.0.1:x"])
def test_bad_imds_address(text: str, capsys: pytest.CaptureFixture[str]):
    """An address needs a host and a port."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--imds-address", text])

    assert stopped.value.code == 2
    assert "expected" in capsys.readouterr().err


def test_platforms(capsys: pytest.CaptureFixture[str]):
    """The help names every host."""
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = capsys.readouterr().out

    assert [kind for kind in HOSTS if kind not in shown] == []
