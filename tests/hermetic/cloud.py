"""A small cloud on loopback addresses, for one program: the default authority, a storage account, a key vault.

Runs inside tools/hermetic.sh, which makes the host names lead here. The program is not changed, and is told neither
the authority's nor any service's address.

Usage: cloud.py REPORT PROGRAM      REPORT: a file for what the authority was asked, as JSON
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from entra_emulator import EntraEmulator
from hermetic import vault
from partners.azurite import ACCOUNT, Azurite

AUTHORITY = "login.microsoftonline.com"
OTHER_AUTHORITY = "login.emulator.test"
"""A host that Microsoft's list does not have: clients must ask the default authority about it."""
STORAGE = f"{ACCOUNT}.blob.core.windows.net"

ADDRESSES = {"127.0.0.1": (AUTHORITY, OTHER_AUTHORITY), "127.0.0.2": (STORAGE,), "127.0.0.3": (vault.HOST,)}
_TIMEOUT = 60.0
"""Seconds the program may take."""


def environment(entra: EntraEmulator, home: str) -> Dict[str, str]:
    """A service principal, and trust in the certificates here; not where the authority is."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "PYTHON"))}
    variables = {name: value for name, value in entra.environment().items() if name != "AZURE_AUTHORITY_HOST"}
    return {**inherited, **variables, "HOME": home, "PYTHONWARNINGS": "error::ResourceWarning"}


def main(report: str, program: str) -> int:
    """Exit status: that of the program."""
    with contextlib.ExitStack() as stack:
        entra = stack.enter_context(EntraEmulator(port=443, names=(AUTHORITY, OTHER_AUTHORITY)))
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="hermetic-"))
        certificate, key = entra.issue_certificate(STORAGE, vault.HOST)
        if program.startswith("blob"):
            stack.enter_context(Azurite(certificate, key, Path(home), host="127.0.0.2", port=443))
        if program == "read_secret.py":
            tenant = f"https://{AUTHORITY}/{entra.tenant.id}"
            stack.enter_context(vault.Vault("127.0.0.3", tenant, certificate, key, entra.ca_file))
        path = Path(__file__).parent / "programs" / program
        done = subprocess.run(
            [sys.executable, str(path)],
            env=environment(entra, home),
            cwd=home,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            check=False,
        )
        asked = [f"{request.endpoint} {request.headers['Host']}" for request in entra.requests]
        Path(report).write_text(json.dumps(asked), encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
