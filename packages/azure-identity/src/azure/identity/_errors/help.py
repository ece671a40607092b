"""Where the messages' help links point."""

from __future__ import annotations

HELP = "docs/troubleshooting.md"
"""Where the help links point: a section per situation."""


def help_link(section: str) -> str:
    """The sentence that ends a message."""
    return f"Help: {HELP}#{section}"
