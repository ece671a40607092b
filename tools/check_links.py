"""Check the links of all Markdown files that lead to other files of this project: the file, and the heading.

Usage: check_links.py [DIRECTORY]    default: this project
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Set
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
_NOT_OURS = re.compile(r"^(\..+|node_modules|build|dist|__pycache__)$")
"""Directories that hold what others wrote, or what was generated."""

_FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,}).*?(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_INLINE_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?(?P<target>[^)\s>]+)>?(?:\s+[\"'(][^)]*)?\)")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(?P<target>[^\s>]+)", re.MULTILINE)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(?P<text>.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
_HTML_ANCHOR = re.compile(r"<[a-z]+[^>]*\b(?:id|name)=\"(?P<anchor>[^\"]+)\"", re.IGNORECASE)
_LABELLED_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


class Link(NamedTuple):
    """A link to something in this project, or to anything else."""

    line: int
    target: str


def documents(root: Path) -> Iterator[Path]:
    """The Markdown files below a directory."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not _NOT_OURS.match(name))
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(".md"))


def links(text: str) -> Iterator[Link]:
    """The links of a Markdown text. What looks like one inside code is none."""
    prose = _CODE.sub(_blank, _FENCE.sub(_blank, text))
    for pattern in (_INLINE_LINK, _REFERENCE):
        for match in pattern.finditer(prose):
            yield Link(prose.count("\n", 0, match.start()) + 1, match["target"])


def anchors(text: str) -> Set[str]:
    """What a link to this text may have after `#`: its headings, as GitHub spells them, and HTML anchors."""
    prose = _FENCE.sub(_blank, text)
    found = {match["anchor"] for match in _HTML_ANCHOR.finditer(prose)}
    seen: Dict[str, int] = {}
    for match in _HEADING.finditer(prose):
        slug = slug_of(match["text"])
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(slug if not count else f"{slug}-{count}")
    return found


def slug_of(heading: str) -> str:
    """The anchor that GitHub gives a heading: lower case, blanks as hyphens, punctuation dropped."""
    words = _LABELLED_LINK.sub(r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def problem_with(link: Link, document: Path, root: Path) -> str:
    """What is wrong with a link; empty if nothing is, or if it leads out of this project."""
    parts = urlsplit(link.target)
    if parts.scheme or parts.netloc:
        return ""
    path = unquote(parts.path)
    base = root if path.startswith("/") else document.parent
    target = (base / path.lstrip("/")).resolve() if path else document.resolve()
    if not target.exists():
        return f"{link.target}: there is no such file"
    if root.resolve() not in (target, *target.parents):
        return f"{link.target}: leads out of the project"
    if not parts.fragment:
        return ""
    if target.suffix != ".md":
        return f"{link.target}: only Markdown files have headings"
    if unquote(parts.fragment) not in anchors(target.read_text(encoding="utf-8")):
        return f"{link.target}: there is no such heading"
    return ""


def _blank(match: re.Match[str]) -> str:
    """As many lines, but nothing in them, so that line numbers stay right."""
    return re.sub(r"[^\n]", " ", match[0])


def main(arguments: List[str]) -> int:
    """Exit status: 0 if every link leads somewhere."""
    root = Path(arguments[0]).resolve() if arguments else ROOT
    checked = 0
    problems: List[str] = []
    for document in documents(root):
        for link in links(document.read_text(encoding="utf-8")):
            checked += 1
            problem = problem_with(link, document, root)
            if problem:
                problems.append(f"{document.relative_to(root).as_posix()}:{link.line}: {problem}")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"links: {checked} checked, {len(problems)} broken")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
