from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_emulator.emulator.environment import (
    ca_bundle,
    detect_shell,
    is_azure_variable,
    proxy_exception,
    render,
)

OWN = b"-----BEGIN CERTIFICATE-----\nown\n-----END CERTIFICATE-----\n"
COMPANY = b"# company\n-----BEGIN CERTIFICATE-----\r\ncompany\r\n-----END CERTIFICATE-----\r\n"


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "export NAME='it'\"'\"'s $5'"),
        ("fish", "set -gx NAME 'it\\'s $5'"),
        ("powershell", "$env:NAME = 'it''s $5'"),
        ("cmd", 'set "NAME=it\'s $5"'),
        ("dotenv", 'NAME="it\'s $5"'),
    ],
)
def test_syntax(shell: str, line: str):
    """Each shell gets its own quoting."""
    assert render({"NAME": "it's $5"}, shell) == [line]


def test_unknown_shell():
    """A shell nobody knows is refused by name."""
    with pytest.raises(ValueError, match="shell: expected one of"):
        render({"A": "b"}, "tcsh")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_reads_it_back():
    """bash sets exactly the value."""
    value = "a b'c\"d\\e$f`g;h\ni*"
    script = "\n".join(render({"VALUE": value}, "bash")) + '\nprintf %s "$VALUE"'
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=True)

    assert run.stdout == value


@pytest.mark.parametrize(
    ("environment", "shell"),
    [
        ({"SHELL": "/usr/bin/fish"}, "fish"),
        ({"SHELL": "/bin/zsh"}, "bash"),
        ({"SHELL": "/usr/bin/pwsh"}, "powershell"),
    ],
)
def test_detection(environment: Dict[str, str], shell: str):
    """The shell is taken from the environment."""
    assert detect_shell(environment) == shell


def test_bundle_has_all_roots(tmp_path: Path):
    """The emulator's authority comes first; roots the environment names, and the usual ones, follow; none twice."""
    company = tmp_path / "company.pem"
    company.write_bytes(COMPANY)
    bundle = ca_bundle(OWN, {"REQUESTS_CA_BUNDLE": str(company), "SSL_CERT_FILE": str(company)})

    assert bundle.startswith(OWN)
    assert bundle.count(b"\ncompany\n") == 1
    assert bundle.count(b"BEGIN CERTIFICATE") > 20
    assert b"\r" not in bundle


def test_bundle_of_a_bundle(tmp_path: Path):
    """Written again from an environment that has it already, the bundle stays the same."""
    path = tmp_path / "bundle.pem"
    path.write_bytes(ca_bundle(OWN, {}))

    assert ca_bundle(OWN, {"SSL_CERT_FILE": str(path)}) == path.read_bytes()
    assert ca_bundle(OWN, {"SSL_CERT_FILE": str(path)}, without=path) == path.read_bytes()
    assert ca_bundle(OWN, {"SSL_CERT_FILE": str(tmp_path / "missing")}) == path.read_bytes()


@pytest.mark.parametrize(
    ("environment", "no_proxy"),
    [
        ({}, None),
        ({"NO_PROXY": "a"}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://p"}, "localhost,127.0.0.1,::1"),
        ({"http_proxy": "http://p", "no_proxy": "a, localhost"}, "a,localhost,127.0.0.1,::1"),
    ],
)
def test_proxies(environment: Dict[str, str], no_proxy: str):
    """Where there is a proxy, loopback goes past it."""
    assert proxy_exception(environment).get("NO_PROXY") == no_proxy


@pytest.mark.parametrize(
    ("name", "expected"),
    [("AZURE_CLIENT_ID", True), ("azure_x", True), ("IDENTITY_ENDPOINT", True), ("MSI_SECRET", True), ("HOME", False)],
)
def test_azure_variables(name: str, expected: bool):
    """Variables that steer credentials are known by their beginning."""
    assert is_azure_variable(name) == expected


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_posix_quoting_is_reversible(value: str):
    """Whatever the value, a POSIX shell splits the line into the command and one word."""
    import shlex

    assert shlex.split(render({"NAME": value}, "bash")[0]) == ["export", f"NAME={value}"]
