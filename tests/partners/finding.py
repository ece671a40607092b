"""Where the partner programs are, and what happens when one is missing."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test; fail it where REQUIRE_PARTNERS says that every partner has to be there."""
    text = f"{what} is missing; 'make partners' installs it"
    if os.environ.get("REQUIRE_PARTNERS", "") not in ("", "0"):
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def partner_directory(name: str) -> Path:
    """Where tools/install_partners.sh has put the program `name`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = Path(os.environ.get("PARTNERS_HOME") or cache / "azure-identity-partners")
    whole = sorted(home.glob(f"{name}-*/.complete"), key=lambda mark: mark.stat().st_mtime)
    return whole[-1].parent if whole else missing(name)


def program(name: str) -> str:
    """The path of a program of the system."""
    return shutil.which(name) or missing(name)


def module(name: str, distribution: str) -> ModuleType:
    """An installed Python package."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return missing(distribution)
