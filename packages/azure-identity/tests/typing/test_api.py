"""A user's program must type-check: `api.py` beside this file, by mypy and by pyright."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parent / "api.py"
SOURCE = PROGRAM.parents[2] / "src"


def run(*command: str, cwd: Path) -> Any:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_mypy_strict(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Also each line that is meant to be a mistake is one: `warn_unused_ignores` is part of `--strict`."""
    config = tmp_path / "mypy.ini"
    config.write_text(
        f"[mypy]\nmypy_path = {SOURCE}\nnamespace_packages = True\nexplicit_package_bases = True\n"
        f"cache_dir = {pytestconfig.rootpath / '.mypy_cache' / 'typing-api'}\n"
    )
    done = run(sys.executable, "-m", "mypy", "--strict", "--config-file", str(config), str(PROGRAM), cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Success" in done.stdout


@pytest.mark.skipif(importlib.util.find_spec("pyright") is None, reason="pyright is not installed")
def test_pyright(tmp_path: Path) -> None:
    (tmp_path / "api.py").write_text(PROGRAM.read_text(encoding="utf-8"), encoding="utf-8")
    settings = {
        "include": ["api.py"],
        "extraPaths": [str(SOURCE)],
        "typeCheckingMode": "standard",
        "reportUnnecessaryTypeIgnoreComment": "error",
        "pythonVersion": "3.9",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    done = run(sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, cwd=tmp_path)
    report = json.loads(done.stdout)

    assert [one["message"] for one in report["generalDiagnostics"]] == []
    assert report["summary"]["filesAnalyzed"] == 1
