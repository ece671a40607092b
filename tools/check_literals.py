"""Finds string literals that are broken before their line is full: what a reformatter leaves when it re-wraps code.

    python tools/check_literals.py [FILE ...]

Two adjacent literals on two lines are meant to be filled like prose. A literal may end early where a reader takes a
breath: after punctuation, a line break or a blank line.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Iterator, NamedTuple

WIDTH = 120
"""Columns a line may have, as ruff's line-length."""
BREATH = re.compile(r"""(?:[.,:;?!)}\]>|'"`=-]|\\n|\\t|—|–) ?$""")
"""How a literal ends that may be followed by a shorter line."""


class Break(NamedTuple):
    """Two lines of one literal, the second of which begins with a word that fits on the first."""

    line: int
    word: str


def literals(text: str) -> list[tuple[int, str, int]]:
    """Each line that holds nothing but (the end of) one one-line literal: its number, the literal, its end column."""
    found = []
    if hasattr(tokenize, "FSTRING_START"):  # Python 3.12 and later take f-strings apart: lines are enough for us
        text = re.sub(r"""(?<![\w"'])[fF](?=["'])""", "u", text)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if (
            token.type == tokenize.STRING
            and token.start[0] == token.end[0]
            and token.end[1] == len(token.line.rstrip("\n"))
        ):
            found.append((token.start[0], token.string, token.end[1]))
    return found


def breaks(text: str) -> Iterator[Break]:
    """Literals of a source text that are broken too early."""
    lines = text.split("\n")
    rows = {line: (literal, end) for line, literal, end in literals(text)}
    for line, (literal, end) in rows.items():
        following = lines[line].strip() if line < len(lines) else ""
        second = re.match(r"""^[fFu]?(["'])((?:(?!\1).)*)\1""", following)
        first = re.match(r"""^[fFu]?(["'])((?:(?!\1).)*)\1$""", literal)
        if not first or not second or first[1] != second[1] or BREATH.search(first[2]) or not first[2].endswith(" "):
            continue
        word = re.match(r"[^ {]*(?:\{[^}]*\}[^ {]*)* ?", second[2])
        assert word is not None
        if word[0].strip() and end + len(word[0]) <= WIDTH and len(second[2]) > 0:
            yield Break(line, word[0].strip())


def main(named: list[str]) -> int:
    tracked = subprocess.run(["git", "ls-files", "-z", "*.py"], capture_output=True, text=True, check=True).stdout
    count = 0
    for name in named or [name for name in tracked.split("\0") if name and Path(name).exists()]:
        for each in breaks(Path(name).read_text(encoding="utf-8")):
            print(f"{name}:{each.line}: the literal is broken before its line is full: {each.word!r} fits on it")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
