"""Azurite, the emulator of Azure Storage: a server that takes bearer tokens, over TLS only."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Optional, Type

from partners.finding import partner_directory, program

ACCOUNT = "devstoreaccount1"
_READY_WITHIN = 30.0
"""Seconds. Azurite takes about two on an idle machine."""


class Azurite:
    """Azurite's blob service, in memory, until the end of the `with` block.

    It checks audience, issuer and lifetime of a token, but not the signature. `--oauth basic` turns that on.

    :param certificate: PEM file of the TLS certificate.
    :param key: PEM file of its key.
    :param directory: where it may write.
    """

    def __init__(self, certificate: str, key: str, directory: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host, self._port = host, port or _free_port(host)
        self._directory = directory
        self._log = directory / "azurite.log"
        self._command = [
            program("node"),
            str(partner_directory("azurite") / "node_modules/azurite/dist/src/blob/main.js"),
            *("--silent", "--disableTelemetry", "--inMemoryPersistence", "--skipApiVersionCheck"),
            *("--oauth", "basic", "--cert", certificate, "--key", key),
            *("--blobHost", host, "--blobPort", str(self._port)),
        ]
        self._process: Optional[subprocess.Popen[bytes]] = None

    @property
    def account_url(self) -> str:
        """The blob service's URL, the account in its path."""
        return f"https://{self._host}:{self._port}/{ACCOUNT}"

    def __enter__(self) -> Azurite:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AZURITE_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._directory,
            )
        give_up = time.monotonic() + _READY_WITHIN
        while not _accepts(self._host, self._port):
            if self._process.poll() is not None or time.monotonic() > give_up:
                self._stop()
                raise RuntimeError(f"Azurite did not start: {self._log.read_text(errors='replace')}")
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]] = None,
        error: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _free_port(host: str) -> int:
    with socket.socket() as one:
        one.bind((host, 0))
        port: int = one.getsockname()[1]
        return port


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
