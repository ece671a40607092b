"""The virtual environments: the published package, ours, and the emulator's, with equal versions of all they share.

`published` is resolved by pip; what it got pins everything in the others. An environment is made again when what it
was made from changes: the pins in requirements.txt, the interpreter, or the sources of our packages.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ENVIRONMENTS = HERE / ".envs"
PACKAGES = ROOT / "packages"

PUBLISHED = "published"
OURS = "ours"
EMULATOR = "emulator"

_PIP_TIMEOUT = 900


def python_of(name: str) -> Path:
    """The interpreter of an environment."""
    return ENVIRONMENTS / name / "bin" / "python"


def prepare() -> None:
    """Make the environments that are missing or out of date."""
    requirements = HERE / "requirements.txt"
    constraints = ENVIRONMENTS / "constraints.txt"
    resolved = _stamp([requirements])
    if _make(PUBLISHED, resolved, ["-r", str(requirements)]):
        frozen = _run(python_of(PUBLISHED), "-m", "pip", "freeze").splitlines()
        constraints.write_text("".join(f"{line}\n" for line in frozen if not line.startswith("azure-identity")))
    pins = ["-c", str(constraints)]
    aio = [line for line in requirements.read_text().splitlines() if line.startswith("aiohttp")]
    for name, package, more in ((OURS, "azure-identity", aio), (EMULATOR, "entra-emulator", [])):
        source = PACKAGES / package
        files = [source / "pyproject.toml", *sorted((source / "src").rglob("*.py"))]
        _make(name, _stamp([constraints, *files]), [str(source), *more, *pins])
    # pip has compiled what it installed. The measured programs must not pay for compiling our own modules either.
    _run(python_of(PUBLISHED), "-m", "compileall", "-q", "-l", str(HERE), str(HERE / "scenarios"))


def versions(name: str) -> dict[str, str]:
    """What is installed, by distribution."""
    lines = _run(python_of(name), "-m", "pip", "list", "--format=freeze").splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line)


def public_names(name: str) -> frozenset[str]:
    """The public names of `azure.identity` and, prefixed with `aio.`, of `azure.identity.aio` in an environment."""
    program = (
        "import azure.identity, azure.identity.aio as aio\n"
        "print(*azure.identity.__all__, *('aio.' + name for name in aio.__all__))"
    )
    return frozenset(_run(python_of(name), "-c", program).split())


def _make(name: str, stamp: str, what: list[str]) -> bool:
    folder = ENVIRONMENTS / name
    mark = folder / "made-from"
    if mark.exists() and mark.read_text() == stamp:
        return False
    print(f"preparing the environment '{name}' ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    ENVIRONMENTS.mkdir(exist_ok=True)
    _run(Path(sys.executable), "-m", "venv", str(folder))
    _run(python_of(name), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what)
    mark.write_text(stamp)
    return True


def _stamp(files: Iterable[Path]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _run(program: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [str(program), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_PIP_TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program.name} {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
