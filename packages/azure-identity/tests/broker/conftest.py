"""The package azure-identity-broker, on machines with and without a broker.

The broker's runtime is proprietary and needs a desktop with a signed-in person. `fake_msal.py` stands in for msal, with
its interface; `test_fake_msal.py` compares it with the real one where that is installed.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Iterator

import pytest
from fake_msal import Machine

import azure.identity

if importlib.util.find_spec("azure.identity.broker") is None:
    azure.identity.__path__.append(
        str(Path(__file__).resolve().parents[3] / "azure-identity-broker" / "src" / "azure" / "identity")
    )


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clean_environment: None) -> Path:
    """Nobody is signed in to Visual Studio Code."""
    home = tmp_path / "home"
    home.mkdir()
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(home))
    return home


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A Windows machine, by the look of msal, whose broker knows one account. Tests change what is different."""
    made = Machine()
    made.install(monkeypatch)
    yield made
