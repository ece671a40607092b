"""Fixtures of all tests: an environment without Azure, the emulator, both worlds, and the planted-secret check."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Iterator

import hypothesis
import pytest
from leak_watch import _listen_at_debug, no_secret_is_shown, planted, pytest_runtest_makereport
from worlds import WORLDS, World

from azure.identity._credentials import managed_identity
from azure.identity._flows import entra as _entra
from azure.identity._protocols import imds
from entra_emulator import EntraEmulator

__all__ = ["_listen_at_debug", "no_secret_is_shown", "pytest_runtest_makereport"]

# Examples may take as long as a busy machine makes them take.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

_STEERING = ("AZURE_", "IDENTITY_", "MSI_", "SYSTEM_OIDC", "ACTIONS_ID_TOKEN")
_ALSO_STEERING = {
    "REGION_NAME",
    "IMDS_ENDPOINT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
}


def pytest_configure(config: pytest.Config) -> None:
    """asyncio does not close the TLS transport of a connection that was reset before Python 3.11."""
    if sys.version_info < (3, 11):
        config.addinivalue_line("filterwarnings", "ignore:unclosed transport <asyncio.sslproto:ResourceWarning")
    if sys.version_info < (3, 10):
        # There the policy makes an event loop for whoever asks (pytest-asyncio does), and nobody closes it. The library
        # makes none.
        for what in ("unclosed event loop", "unclosed <socket.socket fd=[0-9]+, family=AddressFamily.AF_UNIX"):
            config.addinivalue_line("filterwarnings", f"ignore:{what}:ResourceWarning")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine steers a test, and nothing the process has learnt in another one does."""
    for name in list(os.environ):
        if name.upper().startswith(_STEERING) or name.upper() in _ALSO_STEERING:
            monkeypatch.delenv(name)
    _entra._forget()
    managed_identity._forget()
    # Nobody answers there, at once: the real address belongs to whatever machine the tests run on.
    monkeypatch.setattr(imds, "ADDRESS", "http://127.0.0.1:9")


@pytest.fixture(scope="session")
def entra_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EntraEmulator]:
    """The emulator all tests share. Its keys are temporary: the user's stay untouched."""
    with EntraEmulator(key_dir=tmp_path_factory.mktemp("keys")) as emulator:
        yield emulator


@pytest.fixture
def entra(entra_server: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[EntraEmulator]:
    """A local Microsoft Entra ID in its first state, which the process trusts."""
    entra_server.reset()
    entra_server.app.add_secret(planted("client-secret"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", entra_server.ca_file)
    yield entra_server
    entra_server.reset()


@pytest.fixture(params=WORLDS, ids=[world.name for world in WORLDS])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The sync world, then the async one."""
    made: World = request.param()
    yield made
    made.end()


class Clock:
    """The time as the library reads it, and the emulator with it if there is one."""

    def __init__(self, emulator: Any) -> None:
        self._emulator = emulator
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.put_wrong_by(seconds)
        if self._emulator is not None:
            self._emulator.clock.advance(seconds)

    def put_wrong_by(self, seconds: float) -> None:
        """Move this machine's clock alone."""
        self._ahead += seconds


@pytest.fixture
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that moves when told to."""

    moved = Clock(request.getfixturevalue("entra") if "entra" in request.fixturenames else None)
    for name, module in list(sys.modules.items()):
        if name.startswith("azure.identity") and "clock" in vars(module):
            monkeypatch.setattr(module, "clock", moved)
    return moved


@pytest.fixture
def no_transient_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow's own pause before it repeats a request the service could not serve just now takes no time."""
    monkeypatch.setattr(_entra, "TRANSIENT_PAUSE", 0)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses a retry policy makes between attempts, in seconds. None is really made."""
    from azure.core.pipeline.transport import AioHttpTransport, RequestsTransport

    made: list[float] = []

    def sleep(self: Any, seconds: float) -> None:
        made.append(seconds)

    async def suspend(self: Any, seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(RequestsTransport, "sleep", sleep)
    monkeypatch.setattr(AioHttpTransport, "sleep", suspend)
    return made
