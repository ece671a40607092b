from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import entra_emulator


def test_names():
    """What the package offers is a list, and each name on it is there and documented."""
    assert entra_emulator.__all__ == [
        "EntraEmulator",
        "RegisteredApp",
        "Tenant",
        "App",
        "Secret",
        "FederatedCredential",
        "SubjectNameIssuer",
        "Resource",
        "Clock",
        "Fault",
        "LoggedRequest",
        "EntraError",
        "ManagedIdentity",
        "Host",
        "User",
        "Browser",
        "Page",
        "SignInResult",
        "SignInError",
        "claims_challenge",
    ]
    for name in entra_emulator.__all__:
        assert inspect.getdoc(getattr(entra_emulator, name)), name
    assert set(entra_emulator.__all__) <= set(dir(entra_emulator))


def test_unknown_name():
    """A name that is not there is an ordinary error."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = entra_emulator.nothing


def test_members_are_documented():
    """Every public member of the emulator has a docstring."""
    undocumented = [
        name
        for name, member in inspect.getmembers(entra_emulator.EntraEmulator)
        if not name.startswith("_") and not inspect.getdoc(member)
    ]

    assert undocumented == []


def test_import_is_cheap():
    """Importing the package loads nothing of the server."""
    code = "import sys, entra_emulator; sys.exit('aiohttp' in sys.modules or 'cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
