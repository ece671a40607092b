"""The rooms of the package: imports between them go down only, and no file outgrows its subject."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import entra_emulator

SOURCE = Path(entra_emulator.__file__).parent
FLOORS = {
    "values": 0,
    "keys": 1,
    "journal": 1,
    "directory": 2,
    "tokens": 3,
    "sign_in": 4,
    "endpoints": 5,
    "hosts": 6,
    "emulator": 7,
    "command": 8,
    "window": 9,
}
"""Each room's floor. `window` is what lies beside the rooms: `__init__`, `__main__`, `cli` and the pytest plugin."""
LONGEST = 450

# What a file in the window, or the version, may be asked for from below.
OPEN_TO_ALL = {"__version__"}


def room_of(parts: Tuple[str, ...]) -> str:
    """The room of a module, given the parts of its name below the package."""
    return parts[0] if parts and parts[0] in FLOORS else "window"


def arrows(files: Dict[Tuple[str, ...], str]) -> Iterator[Tuple[str, str, str]]:
    """From-room, to-room and a text that names both modules and the line, for each import inside the package."""
    for parts, text in files.items():
        package = parts[:-1]
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.ImportFrom):
                continue
            if node.level:
                base = package[: len(package) - node.level + 1]
                target = base + tuple((node.module or "").split(".") if node.module else ())
            elif (node.module or "").split(".")[0] == "entra_emulator":
                target = tuple((node.module or "").split(".")[1:])
            else:
                continue
            for alias in node.names:
                full = target if target else (*target, alias.name)
                if not target and alias.name in OPEN_TO_ALL:
                    continue
                here, there = ".".join(parts), ".".join(full)
                yield room_of(parts), room_of(full), f"{here}:{node.lineno} imports {there}"


def broken(files: Dict[Tuple[str, ...], str]) -> List[str]:
    """The arrows that go up, or between two rooms of one floor."""
    return [
        f"{text} ({source}, floor {FLOORS[source]} -> {target}, floor {FLOORS[target]})"
        for source, target, text in arrows(files)
        if source != target and FLOORS[target] >= FLOORS[source]
    ]


def sources() -> Dict[Tuple[str, ...], str]:
    return {
        path.relative_to(SOURCE).with_suffix("").parts: path.read_text("utf-8") for path in sorted(SOURCE.rglob("*.py"))
    }


def test_imports_between_rooms_go_down_only() -> None:
    assert broken(sources()) == []


def test_a_broken_arrow_is_named() -> None:
    files = {("values", "clock"): "from ..hosts.imds import ImdsHost\n", ("hosts", "imds"): "from ..values import x\n"}
    assert broken(files) == ["values.clock:1 imports hosts.imds (values, floor 0 -> hosts, floor 6)"]


def test_every_folder_is_a_room_with_a_floor() -> None:
    assert {path.parent.name for path in SOURCE.glob("*/__init__.py")} == set(FLOORS) - {"window"}


def test_no_file_is_longer_than_a_subject() -> None:
    lengths = {"/".join(parts): text.count("\n") for parts, text in sources().items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}
