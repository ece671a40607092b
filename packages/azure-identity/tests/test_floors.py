"""The rooms of the package lie on floors, and imports go down only. docs/design.md has the drawing."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "azure" / "identity"
FLOORS = (
    ("_version", "_persistence"),
    ("_values",),
    ("_constants", "_outside"),
    ("_protocols",),
    ("_errors", "_cache"),
    ("_exceptions", "_broker"),
    ("_hosts", "_flows"),
    ("_credentials",),
    ("_bearer_token_provider",),
    ("_internal", "_old_doors"),
    ("__init__", "aio"),
)
"""Lowest first. What stands together does not import each other. A name is a folder or a file of the package."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
LONGEST = 450
"""Lines a product file may have."""


class Arrow(NamedTuple):
    """One import of one module by another, both as dotted names below `azure.identity`."""

    source: str
    line: int
    target: str


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def arrows(path: Path, root: Path = SOURCE) -> Iterator[Arrow]:
    """Every relative import of a file, those for type checkers and those inside functions included."""
    package = list(path.relative_to(root).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                file = root.joinpath(*base, alias.name)
                is_module = file.with_suffix(".py").exists() or file.is_dir()
                target = ".".join([*base, alias.name] if is_module else base)
                yield Arrow(module_name(path, root), node.lineno, target or "__init__")


FILES = sorted(SOURCE.rglob("*.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: module_name(path, SOURCE))


def room(name: str) -> str:
    return name.partition(".")[0]


def broken(arrow: Arrow) -> bool:
    """Whether an import goes up, or to a neighbour on the same floor."""
    here, there = room(arrow.source), room(arrow.target)
    return here != there and FLOOR[there] >= FLOOR[here]


@each_file
def test_imports_go_down_only(path: Path) -> None:
    """A room knows those below it, never those above."""
    wrong = [arrow for arrow in arrows(path) if broken(arrow)]

    assert not wrong, "; ".join(f"{a.source}:{a.line} reaches up to {a.target}" for a in wrong)


def test_every_room_has_its_floor() -> None:
    """And nothing stands in the corridor that the plan does not know."""
    there = {room(module_name(path, SOURCE)) for path in FILES}

    assert there - {"__init__"} <= set(FLOOR), sorted(there - set(FLOOR))


def test_the_rule_bites(tmp_path: Path) -> None:
    """An import of an upper room is seen wherever it stands."""
    file = tmp_path / "_values" / "messages.py"
    file.parent.mkdir()
    (tmp_path / "_flows").mkdir()
    file.write_text("def f():\n    from .._flows import flow\n")

    assert [(a.line, a.target, broken(a)) for a in arrows(file, tmp_path)] == [(2, "_flows", True)]


def circle(graph: dict[str, set[str]]) -> str:
    """A way from a module back to itself; empty if there is none."""
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> str:
        if name in trail:
            return " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in sorted(graph.get(name, ())):
                found = visit(target, (*trail, name))
                if found:
                    return found
            done.add(name)
        return ""

    return next((found for found in (visit(name, ()) for name in sorted(graph)) if found), "")


def test_there_are_no_circles() -> None:
    """No module needs another that needs it, not even for its types."""
    windows = ("__init__", "aio", "_old_doors")
    paths = [path for path in FILES if room(module_name(path, SOURCE)) not in windows]

    assert circle({module_name(path, SOURCE): {arrow.target for arrow in arrows(path)} for path in paths}) == ""


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == "b -> c -> b"
    assert circle({"a": {"b", "c"}, "b": {"c"}}) == ""


@each_file
def test_no_file_is_too_long_to_read(path: Path) -> None:
    """One sitting, one subject."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
