"""The chore that finds string literals which are broken before their line is full."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parent.parent.parent / "tools" / "check_literals.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_literals", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("prefix", ["", "f"])
def test_a_word_left_below_is_found(tool: ModuleType, prefix: str) -> None:
    """The line has room for it, and the sentence goes on."""
    text = f'raise ValueError(\n    {prefix}"To enable "\n    {prefix}"acquiring tokens, ask."\n)\n'

    assert [(each.line, each.word) for each in tool.breaks(text)] == [(2, "acquiring")]


@pytest.mark.parametrize(
    "text",
    [
        'x = (\n    "One sentence. "\n    "Another."\n)\n',
        'x = (\n    "one line\\n"\n    "another"\n)\n',
        f'x = (\n    "{"word " * 22}"\n    "{"long" * 10} word"\n)\n',
        'x = ["one ", "two"]\n',
        'x = (\n    "one "\n    + other\n)\n',
    ],
    ids=["a breath", "a line break", "a full line", "a list", "no literal follows"],
)
def test_what_is_meant_passes(tool: ModuleType, text: str) -> None:
    assert list(tool.breaks(text)) == []


def test_it_says_where_and_fails(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "module.py"
    file.write_text('x = (\n    "to "\n    "be"\n)\n')

    assert tool.main([str(file)]) == 1
    assert f"{file}:2: " in capsys.readouterr().out
