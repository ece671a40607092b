"""Why a chain succeeded or failed, as data and as text."""

from __future__ import annotations

import re
from typing import NamedTuple, Sequence

from .help import help_link

COULD_NOT_TRY = "could not try"
"""Not configured here, or what it depends on is not there."""
FAILED = "tried and failed"
"""It asked, and the answer was no."""


class Attempt(NamedTuple):
    """What one member of a chain did. A failed chain's error has them in its `attempts`."""

    name: str
    """The member, as users know it."""
    outcome: str
    """COULD_NOT_TRY or FAILED."""
    reason: str
    milliseconds: int
    error: Exception


def report(chain: str, attempts: Sequence[Attempt], skipped: Sequence[str]) -> str:
    """The message of a chain that got no token: every member that was asked, what it said, how long that took, and what
    to do."""
    lines = [f"{chain} failed to retrieve a token from the included credentials.", "Attempted credentials:"]
    for attempt in attempts:
        reason, help_place = _split(attempt)
        lines.append(f"\t{attempt.name}: {reason}" if reason else f"\t{attempt.name}")
        lines.append(f"\t\t[{attempt.outcome}, {attempt.milliseconds} ms] {help_place}".rstrip())
    if skipped:
        lines.append(f"Not asked, because the last one above was refused: {', '.join(skipped)}.")
    lines.append(_next_step(attempts))
    lines.append("Troubleshooting: https://aka.ms/azsdk/python/identity/defaultazurecredential/troubleshoot")
    return "\n".join(lines)


_HELP = re.compile(r"\s*(Help: \S+)\Z")


def _split(attempt: Attempt) -> tuple[str, str]:
    """What a member said, without what is said beside it: its name, and where help is."""
    reason, help_place = attempt.reason.strip(), ""
    found = _HELP.search(reason)
    if found:
        reason, help_place = reason[: found.start()], found[1]
    for beginning in (": ", " authentication unavailable. ", " authentication unavailable: "):
        if reason.startswith(attempt.name + beginning):
            reason = reason[len(attempt.name + beginning) :]
    return "\n\t\t".join(reason.splitlines()), help_place


def _next_step(attempts: Sequence[Attempt]) -> str:
    failed = [attempt.name for attempt in attempts if attempt.outcome == FAILED]
    if failed:
        return f"Next: correct what {failed[-1]} reports, or leave it out of the chain. {help_link('chain-failed')}"
    return (
        "Next: no credential could even try.\n"
        "  - On your machine, sign in with a developer tool, such as 'az login'.\n"
        "  - In Azure, give the host a managed identity.\n"
        "  - Elsewhere, set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or "
        "AZURE_CLIENT_CERTIFICATE_PATH).\n"
        f"  {help_link('chain-unavailable')}"
    )
