"""pytest fixtures `entra` and `entra_env`.

Imports nothing heavy: pytest loads every installed plugin in every run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from .emulator.emulator import EntraEmulator


@pytest.fixture(scope="session")
def entra_server() -> Iterator[EntraEmulator]:
    """The emulator that all tests of the session share. Use `entra`."""
    from .emulator.emulator import EntraEmulator

    with EntraEmulator() as emulator:
        yield emulator


@pytest.fixture
def entra(entra_server: EntraEmulator) -> Iterator[EntraEmulator]:
    """A local Microsoft Entra ID with fresh directory, settings, faults, request log and clock."""
    entra_server.reset()
    yield entra_server
    entra_server.reset()


@pytest.fixture
def entra_env(entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> EntraEmulator:
    """The same, with an environment that leads to it: a client secret, and no other Azure variable.

    aiohttp's clients trust it too.
    """
    import ssl

    import aiohttp.connector

    from .emulator.environment import is_azure_variable

    for name in list(os.environ):
        if is_azure_variable(name):
            monkeypatch.delenv(name)
    for name, value in entra.environment().items():
        monkeypatch.setenv(name, value)
    # aiohttp reads SSL_CERT_FILE once, when it is imported; the emulator has imported it already.
    if hasattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED"):
        context = ssl.create_default_context(cafile=entra.ca_bundle_file)
        monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", context)
    return entra
