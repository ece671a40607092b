"""The planted-secret check bites: a library that showed a secret would fail this suite."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import leak_watch
import pytest
from leak_watch import Watch, planted, shown_secret
from worlds import World

from entra_emulator import EntraEmulator

TESTS = Path(leak_watch.__file__).parent


def run(folder: Path, body: str) -> str:
    """What pytest says about one test under the check."""
    (folder / "conftest.py").write_text(
        "from leak_watch import _listen_at_debug, no_secret_is_shown, pytest_runtest_makereport  # noqa: F401\n"
    )
    (folder / "test_it.py").write_text(
        "import logging\nimport pytest\nfrom leak_watch import planted\n\n"
        "def test_it():\n" + textwrap.indent(body, "    ")
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(folder)],
        env={**os.environ, "PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(
    "body",
    [
        "logging.getLogger('azure.identity.x').debug('token %s', planted('x'))",
        "logging.getLogger('azure.core').info({'secret': planted('x')})",
        "try:\n    raise ValueError(planted('x'))\n"
        "except ValueError:\n    logging.getLogger('a').debug('!', exc_info=True)",
        "with pytest.raises(ValueError):\n    raise ValueError(planted('x'))",
        "with pytest.raises(KeyError):\n    try:\n        raise ValueError(planted('x'))\n"
        "    except ValueError as error:\n        raise KeyError('other') from error",
        "raise ValueError(planted('x'))",
    ],
    ids=["debug record", "value of a record", "traceback of a record", "caught error", "cause of an error", "error"],
)
def test_a_test_that_shows_a_secret_fails(tmp_path: Path, body: str) -> None:
    assert "a secret was shown" in run(tmp_path, body)


def test_a_test_that_shows_none_passes(tmp_path: Path) -> None:
    output = run(tmp_path, "secret = planted('x')\nlogging.getLogger('azure').debug('%d characters', len(secret))")

    assert "1 passed" in output


def test_signed_tokens_are_secrets(entra: EntraEmulator) -> None:
    """A JSON Web Token is one with its signature, and none without."""
    token = entra.federated_token()
    header, payload, _ = token.split(".")

    assert shown_secret(f"Bearer {token}") is not None
    assert shown_secret(f"{header}.{payload}.") is None
    assert shown_secret("client_secret=REDACTED") is None


def test_the_check_reads_what_the_library_says(world: World, entra: EntraEmulator, no_secret_is_shown: Watch) -> None:
    """It is listening: a request leaves records at DEBUG that it has read, whatever the levels are."""
    before = no_secret_is_shown.read
    credential = world.make(
        "ClientSecretCredential",
        entra.tenant.id,
        entra.app.client_id,
        planted("client-secret"),
        authority=entra.authority,
    )
    world.ask(credential.get_token, "https://vault.azure.net/.default")

    assert no_secret_is_shown.read >= before + 4
