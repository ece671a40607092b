"""Flows are tested on a machine without any tool on it, in the empty environment of all tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable

import pytest

Install = Callable[[str], str]


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clean_environment: None) -> None:
    """No program on PATH, nobody signed in to any tool."""
    for variable, folder in (("PATH", "no-programs"), ("HOME", "home"), ("USERPROFILE", "home")):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setenv(variable, str(tmp_path / folder))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Install:
    """Put a program of this name on PATH; returns its path. It is never run: the script says how it ends."""

    def put(name: str) -> str:
        folder = tmp_path / "programs"
        folder.mkdir(exist_ok=True)
        program = folder / (f"{name}.cmd" if sys.platform == "win32" else name)
        program.write_text("")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return str(program)

    return put


@pytest.fixture
def az(install: Install) -> str:
    """The Azure CLI is installed; its path."""
    return install("az")
