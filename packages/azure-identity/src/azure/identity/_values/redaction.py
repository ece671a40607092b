"""Foreign text made fit to be shown: without tokens and secrets, printable, short."""

from __future__ import annotations

import re
from functools import lru_cache

_NAMES = "access_?token|refresh_?token|id_?token|token|client_?secret|client_?assertion|assertion|password|secret"


@lru_cache(maxsize=1)
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    """What is replaced by what: JSON Web Tokens, and members, fields and headers that carry secrets, in the spellings
    tools and services print. Compiled when first needed: most programs never see an error."""
    member = re.compile(
        # JSON put into a JSON string has its quotes escaped, once or more: such a value ends at a quote escaped alike.
        rf"""(?isx) ( \\{{0,8}}["'] (?:{_NAMES}) \\{{0,8}}["'] \s* : \s* )
        (?: (?P<escape>\\{{1,8}}) (?P<quote>["']) .*? (?: (?<!\\) (?P=escape) (?P=quote) | \Z )
          | "(?:[^"\\]|\\.)*"? | '(?:[^'\\]|\\.)*'? | [^\s,}}]+ )"""
    )
    return (
        (re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){1,4}"), "***"),
        (member, r'\1"***"'),
        (re.compile(rf"(?i)\b((?:{_NAMES})=)[^&\s]+"), r"\1***"),
        (re.compile(r"(?i)\b(authorization\W{1,4}bearer\s+)[^\s\"',]+"), r"\1***"),
    )


def redacted(text: str, *secrets: str, limit: int = 1000) -> str:
    """Foreign text made fit for an error message: no tokens, none of `secrets`, and not longer than `limit`
    characters."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    for pattern, replacement in _rules():
        text = pattern.sub(replacement, text)
    text = "".join(character if character.isprintable() or character in "\n\t" else "?" for character in text.strip())
    return text if len(text) <= limit else text[:limit].rstrip() + "..."
