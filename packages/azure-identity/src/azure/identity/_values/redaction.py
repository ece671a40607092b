"""Foreign text made fit to be shown: without tokens and secrets, printable, short."""

from __future__ import annotations

import re

# JSON Web Tokens and the members that carry secrets, in the spellings tools and services print.
_JWT = re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){1,4}")
_NAMES = "access_?token|refresh_?token|id_?token|token|client_?secret|client_?assertion|assertion|password|secret"
# JSON that was put into a JSON string has its quotes escaped, once or more: such a value ends at a quote escaped alike.
_SECRET_MEMBER = re.compile(
    rf"""(?isx) ( \\{{0,8}}["'] (?:{_NAMES}) \\{{0,8}}["'] \s* : \s* )
    (?: (?P<escape>\\{{1,8}}) (?P<quote>["']) .*? (?: (?<!\\) (?P=escape) (?P=quote) | \Z )
      | "(?:[^"\\]|\\.)*"? | '(?:[^'\\]|\\.)*'? | [^\s,}}]+ )"""
)
_SECRET_FIELD = re.compile(rf"(?i)\b((?:{_NAMES})=)[^&\s]+")
_SECRET_HEADER = re.compile(r"(?i)\b(authorization\W{1,4}bearer\s+)[^\s\"',]+")


def redacted(text: str, *secrets: str, limit: int = 1000) -> str:
    """Foreign text made fit for an error message: no tokens, none of `secrets`, and not longer than `limit`
    characters."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _JWT.sub("***", text)
    text = _SECRET_MEMBER.sub(r'\1"***"', text)
    text = _SECRET_FIELD.sub(r"\1***", text)
    text = _SECRET_HEADER.sub(r"\1***", text)
    text = "".join(character if character.isprintable() or character in "\n\t" else "?" for character in text.strip())
    return text if len(text) <= limit else text[:limit].rstrip() + "..."
