"""What the distribution azure-identity-broker puts where."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[3] / "azure-identity-broker"


@pytest.mark.skipif(not PACKAGE.is_dir(), reason="its source is not here")
def test_the_wheel_holds_one_package_of_the_namespace(tmp_path: Path) -> None:
    """Files `__init__.py` of `azure` or `azure.identity` would hide other distributions' packages."""
    if importlib.util.find_spec("hatchling") is not None:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    else:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(PACKAGE)]
    done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    [wheel] = tmp_path.glob("azure_identity_broker-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
    assert {name.rpartition("/")[0] for name in names} == {"azure/identity/broker"}
    assert "azure/identity/broker/py.typed" in names
    assert "Requires-Dist: msal[broker]" in text
    assert "Requires-Python: >=3.9" in text
