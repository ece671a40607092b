"""The fixtures, in a pytest run of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

INSIDE = """
import os
import requests
import pytest


def test_first(entra):
    entra.faults.add("*", status=500)
    entra.add_tenant("x.example")
    entra.clock.advance(1000)
    requests.get(entra.http_authority, timeout=10)
    assert entra.requests.count() == 1


def test_second(entra):
    assert len(entra.faults) == 0
    assert entra.requests.count() == 0
    entra.add_tenant("x.example")


def test_environment(entra_env):
    assert "AZURE_STALE" not in os.environ and "MSI_ENDPOINT" not in os.environ
    assert "IDENTITY_ENDPOINT" not in os.environ
    assert os.environ["AZURE_AUTHORITY_HOST"] == entra_env.authority
    assert os.environ["AZURE_CLIENT_SECRET"] == entra_env.app.secret
    answer = requests.post(
        f"{os.environ['AZURE_AUTHORITY_HOST']}/{os.environ['AZURE_TENANT_ID']}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": os.environ["AZURE_CLIENT_ID"],
            "client_secret": os.environ["AZURE_CLIENT_SECRET"],
            "scope": ".default",
        },
        timeout=10,
    )
    assert answer.status_code == 200


def test_aiohttp_trusts(entra_env):
    import asyncio
    import aiohttp

    async def get():
        url = f"{entra_env.authority}/common/discovery/keys"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status

    assert asyncio.run(get()) == 200


def test_environment_is_restored():
    assert os.environ["AZURE_STALE"] == "1"
    assert "AZURE_AUTHORITY_HOST" not in os.environ


def test_one_server(entra, entra_server):
    assert entra is entra_server
"""


def run(tmp_path: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_inside.py").write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "PYTEST_"))}
    environment.update(
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        AZURE_STALE="1",
        MSI_ENDPOINT="http://127.0.0.1:1",
        IDENTITY_ENDPOINT="http://127.0.0.1:1",
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "entra_emulator.pytest_plugin", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_fixtures(tmp_path: Path):
    """Each test finds the emulator as new, with an environment that leads to it, and one server serves all."""
    done = run(tmp_path, INSIDE)

    assert "6 passed" in done.stdout, done.stdout + done.stderr


def test_plugin_is_cheap(tmp_path: Path):
    """A run that does not use the fixtures does not load the server's libraries."""
    text = (
        "import sys\n\n\n"
        "def test_nothing():\n"
        "    assert 'entra_emulator.pytest_plugin' in sys.modules\n"
        "    heavy = {'aiohttp', 'jwt', 'cryptography', 'entra_emulator.emulator.emulator', 'asyncio'}\n"
        "    assert heavy.isdisjoint(sys.modules)\n"
    )
    done = run(tmp_path, text)

    assert "1 passed" in done.stdout, done.stdout + done.stderr
