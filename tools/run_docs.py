"""Run the programs in the guides, and the examples, against a local Entra ID.

A fenced `python` block of README.md or docs/*.md whose first line is `# program: NAME` is run; other `python` blocks
only have to compile. Programs get the environment that `EntraEmulator.environment()` describes, and besides:

    SCOPE, RESOURCE_URL        the emulator's protected web API (also as DEMO_RESOURCE_SCOPE, DEMO_RESOURCE_URL)
    CERTIFICATE_PATH           PEM file of the default app's certificate and private key
    AZURE_FEDERATED_TOKEN_FILE a federated token the default app trusts
    BROWSER                    a browser with somebody in front of it, who signs in as the default user

Whoever prints a device code has it entered.

Usage: run_docs.py [FILE...]    default: README.md, docs/*.md and examples/*.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional

from entra_emulator import EntraEmulator

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 60.0
"""Seconds a program may take."""

_FENCE = re.compile(
    r"^(?P<indent> *)```python[ \t]*\n(?P<code>.*?)^(?P=indent)```[ \t]*$", re.MULTILINE | re.DOTALL | re.IGNORECASE
)
_PROGRAM = re.compile(r"\A# program: *(?P<name>\S.*)\n")
_STEERING = ("AZURE_", "IDENTITY_", "MSI_")
"""Variables that begin so steer how programs authenticate; those of this machine must not."""


class Block(NamedTuple):
    """A piece of Python in a document, or a whole example."""

    place: str
    """Such as `docs/testing.md:32`."""
    name: Optional[str]
    """What the program is called; None for a block that is not to be run."""
    code: str


def blocks(path: Path) -> Iterator[Block]:
    """The Python in a Markdown file or a Python file, in order."""
    text = path.read_text(encoding="utf-8")
    place = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
    if path.suffix == ".py":
        yield Block(place, path.stem, text)
        return
    for match in _FENCE.finditer(text):
        code = textwrap.dedent(match["code"])
        line = text.count("\n", 0, match.start("code")) + 1
        program = _PROGRAM.match(code)
        yield Block(f"{place}:{line}", program["name"].strip() if program else None, code)


def environment(entra: EntraEmulator, home: Path) -> Dict[str, str]:
    """A program's environment. No tool signed in on this machine may answer in place of the emulator."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(_STEERING)}
    url, scope = entra.resource_url.rstrip("/"), entra.resource_scope
    return {
        **inherited,
        **entra.environment("federated"),
        **entra.environment("secret"),
        "AZURE_CONFIG_DIR": str(home / ".azure"),
        "CERTIFICATE_PATH": entra.app.certificate_path,
        "SCOPE": scope,
        "RESOURCE_URL": url,
        "DEMO_RESOURCE_SCOPE": scope,
        "DEMO_RESOURCE_URL": url,
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
        "BROWSER": "echo %s",
    }


# What a program prints when a person is to do something: a page opened by BROWSER, or a device code (RFC 8628, 6.1).
_SIGN_IN_PAGE = re.compile(r"https?://\S+/authorize\?\S+")
_USER_CODE = re.compile(r"\b[BCDFGHJKLMNPQRSTVWXZ]{9}\b")


def attend(line: str, entra: EntraEmulator) -> None:
    """Be the person who reads what a program prints, and signs in where it asks for that."""
    for pattern, act in ((_SIGN_IN_PAGE, entra.sign_in), (_USER_CODE, entra.enter_device_code)):
        found = pattern.search(line)
        if found:
            # The program must be able to go on printing meanwhile.
            threading.Thread(target=act, args=(found.group(),), daemon=True).start()


def problem_with(block: Block, entra: EntraEmulator, home: Path, example: Optional[Path] = None) -> Optional[str]:
    """What is wrong with a block, or None."""
    try:
        compile(block.code, block.place, "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"does not compile: {error}"
    if block.name is None:
        return None
    program = example
    if program is None:
        program = home / "program.py"
        program.write_text(block.code, encoding="utf-8")
    entra.reset()
    entra.settings.device_code_interval = 1
    output, late = [], threading.Event()
    with subprocess.Popen(
        [sys.executable, str(program)],
        env=environment(entra, home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as child:
        assert child.stdout is not None
        timer = threading.Timer(TIMEOUT, lambda: (late.set(), child.kill()))
        timer.start()
        for line in child.stdout:
            output.append(line)
            attend(line, entra)
        child.wait()
        timer.cancel()
    if late.is_set():
        return f"was not done after {TIMEOUT:.0f} seconds\n{''.join(output)}"
    return f"ended with status {child.returncode}\n{''.join(output)}" if child.returncode else None


def main(arguments: List[str]) -> int:
    """Exit status: 0 if everything compiled and ran, and there was something to run."""
    chosen = [Path(name).resolve() for name in arguments]
    files = chosen or [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("examples/*.py"))]
    ran = compiled = 0
    problems: List[str] = []
    with EntraEmulator() as entra, tempfile.TemporaryDirectory(prefix="docs-") as home:
        for path in files:
            for block in blocks(path):
                began = time.perf_counter()
                problem = problem_with(block, entra, Path(home), path if path.suffix == ".py" else None)
                if problem is not None:
                    problems.append(f"{block.place} ({block.name or 'not a program'}) {problem}")
                elif block.name is not None:
                    ran += 1
                    print(f"docs: {block.place} {block.name}: ran ({time.perf_counter() - began:.1f} s)", flush=True)
                else:
                    compiled += 1
    for problem in problems:
        print(f"docs: {problem}", file=sys.stderr)
    print(f"docs: {ran} programs ran, {compiled} other blocks compiled, {len(problems)} problems")
    return 1 if problems or not ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
