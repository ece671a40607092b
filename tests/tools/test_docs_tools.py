"""The checks of `make docs` find what they are for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def run(tool: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the tools."""
    return subprocess.run(
        [sys.executable, str(TOOLS / tool), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


# ---- links ----

GUIDE = """# The guide

## What it's for: `tokens` & [more](#the-guide)

## Again

## Again

<a id="by-hand"></a>

```text
# no heading
[no link](nowhere.md)
```
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one guide."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "guide.md").write_text(GUIDE, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "target",
    [
        "docs/guide.md",
        "docs/guide.md#the-guide",
        "docs/guide.md#what-its-for-tokens--more",
        "docs/guide.md#again-1",
        "docs/guide.md#by-hand",
        "docs/",
        "#start",
        "https://example.com/#whatever",
        "mailto:someone@example.com",
    ],
)
def test_good_links(project: Path, target: str) -> None:
    """Files, directories, headings by GitHub's names for them; what leads out of the project is not looked at."""
    (project / "README.md").write_text(f"# Start\n\nSee [there]({target}).\n", encoding="utf-8")
    done = run("check_links.py", project)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "links: 2 checked, 0 broken\n"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("docs/gone.md", "no such file"),
        ("docs/guide.md#no-heading", "no such heading"),
        ("docs/guide.md#again-2", "no such heading"),
        ("#stop", "no such heading"),
        ("../../outside.md", "no such file"),
        ("..", "leads out of the project"),
    ],
)
@pytest.mark.parametrize("form", ["[there]({})", "[there][1]\n\n[1]: {}", "![picture]({} 'title')"])
def test_broken_links(project: Path, target: str, reason: str, form: str) -> None:
    """Each is reported with its place, in every form a link can have."""
    (project / "README.md").write_text(f"# Start\n\nSee {form.format(target)}\n", encoding="utf-8")
    done = run("check_links.py", project)

    assert done.returncode == 1
    assert done.stderr.startswith(f"README.md:{5 if '[1]:' in form else 3}: {target}: ")
    assert reason in done.stderr


def test_code_has_no_links(project: Path) -> None:
    """What looks like a link in a code span or a fenced block is none."""
    text = "`[a](b.md)` and ``[c](`d`.md)``\n\n~~~\n[e](f.md)\n~~~\n\n````\n```\n[g](h.md)\n```\n````\n"
    (project / "README.md").write_text(text, encoding="utf-8")

    assert run("check_links.py", project).returncode == 0


# ---- programs ----


def document(tmp_path: Path, *blocks: str) -> Path:
    """A guide with Python in it."""
    path = tmp_path / "guide.md"
    path.write_text("# Guide\n\n" + "".join(f"```python\n{block}```\n\n" for block in blocks), encoding="utf-8")
    return path


def test_programs_run_against_the_emulator(tmp_path: Path) -> None:
    """A marked block gets the environment of a service principal, and works as printed; others only compile."""
    program = """# program: token
import os
from azure.identity import DefaultAzureCredential

assert "MSI_ENDPOINT" not in os.environ
DefaultAzureCredential().get_token(os.environ["SCOPE"])
"""
    done = run("run_docs.py", document(tmp_path, program, "raise SystemExit('not to be run')\n"))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("docs: 1 programs ran, 1 other blocks compiled, 0 problems\n")


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("# program: fails\nprint('so far')\nraise SystemExit(3)\n", "guide.md:4 (fails) ended with status 3\nso far"),
        ("# program: raises\nraise LookupError('in vain')\n", "LookupError: in vain"),
        ("if True print('no')\n", "guide.md:4 (not a program) does not compile"),
    ],
)
def test_what_does_not_work_is_reported(tmp_path: Path, block: str, reason: str) -> None:
    """A program that fails fails the run, with its place and what it printed; so does a block that is no Python."""
    done = run("run_docs.py", document(tmp_path, block, "# program: good\nprint('fine')\n"))

    assert done.returncode == 1
    assert reason in done.stderr
    assert done.stdout.endswith(" 1 problems\n")


def test_a_guide_without_programs_is_a_mistake(tmp_path: Path) -> None:
    """A run that ran nothing has checked nothing."""
    assert run("run_docs.py", document(tmp_path, "x = 1\n")).returncode == 1
