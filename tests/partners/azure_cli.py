"""The real Azure CLI, with a configuration directory of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Dict

from entra_emulator import EntraEmulator, RegisteredApp
from partners.finding import partner_directory

CLOUD = "emulator"
_TIMEOUT = 90.0
"""Seconds for one command. The first one compiles some thousand modules."""


class AzureCli:
    """Runs `az`, signed out at first, and never in touch with the public cloud.

    :param directory: its configuration directory; an empty one knows no account.
    """

    def __init__(self, directory: Path, entra: EntraEmulator) -> None:
        self.directory = directory
        self._entra = entra
        self._bin = partner_directory("azure-cli") / "bin"

    @property
    def environment(self) -> Dict[str, str]:
        """Variables for programs that are to start this `az`."""
        return {
            "PATH": f"{self._bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "AZURE_CONFIG_DIR": str(self.directory),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "REQUESTS_CA_BUNDLE": self._entra.ca_bundle_file,
        }

    def run(self, *arguments: str) -> str:
        """Run a command. Returns what it printed.

        :raises AssertionError: it failed.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "PYTHON"))}
        done = subprocess.run(
            ["az", *arguments],
            executable=str(self._bin / "az"),
            env={**inherited, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"az {arguments[0]} ended with status {done.returncode}: {done.stderr}"
        return done.stdout

    def use_emulator(self) -> None:
        """Make the emulator the active cloud. A sign-in in another one would go to Microsoft, hence the check."""
        self.run("cloud", "register", "--name", CLOUD, "--endpoint-resource-manager", self._entra.authority)
        self.run("cloud", "set", "--name", CLOUD)
        assert self.run("cloud", "show", "--query", "name", "--output", "tsv").strip() == CLOUD

    def sign_in(self, app: RegisteredApp) -> None:
        """Sign in as a service principal."""
        who = ("--username", app.client_id, "--password", app.secret, "--tenant", app.tenant_id)
        self.run("login", "--service-principal", *who, "--output", "none")
