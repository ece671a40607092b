"""The table: medians, ratios, verdicts."""

from __future__ import annotations

from typing import Iterable, Optional

from benchmarks.catalogue import EXACT, AtMost, Row, Scenario, Target, Times
from benchmarks.environments import OURS, PUBLISHED
from benchmarks.runner import FLOOR, Measured

MET = "met"
MISSED = "MISSED"
INSIDE_NOISE = "met, inside noise"
"""The target is met, but not by being faster than the published package by more than the noise."""
NO_TARGET = ""

HEADINGS = ("scenario", "published", "ours", "ratio", "floor", "target", "verdict")


def ratio(row: Row, published: Optional[float], ours: Optional[float]) -> Optional[float]:
    """How many times better ours is."""
    better, worse = (published, ours) if row.more_is_better else (ours, published)
    if better is None or worse is None or not better:
        return None
    return worse / better


def shortfall(row: Row, target: Target, ours: float, gain: Optional[float], floor: Optional[float]) -> float:
    """By what factor a target is missed; at most 1 when it is met."""
    if isinstance(target, Times):
        return target.factor / gain if gain else float("inf")
    limit = target.limit if isinstance(target, AtMost) else (floor or 0.0) * target.factor
    if not limit:
        return 1.0 if ours <= limit else float("inf")
    return ours / limit


def verdict(row: Row, published: Optional[float], ours: Optional[float], floor: Optional[float]) -> str:
    """Whether the targets of a row are met. A gain counts only above the noise."""
    if ours is None:
        return MISSED if row.targets else NO_TARGET
    if not row.targets:
        return NO_TARGET
    gain = ratio(row, published, ours)
    short, target = max(
        ((shortfall(row, one, ours, gain, floor), one) for one in row.targets), key=lambda pair: pair[0]
    )
    if short > 1:
        which = f" ({target_text(row, target)})" if len(row.targets) > 1 else ""
        by = "" if short == float("inf") else f" by {(short - 1) * 100:.0f} %"
        return f"{MISSED}{which}{by}"
    if row.noise > EXACT and gain is not None and gain < row.noise:
        return INSIDE_NOISE
    return MET


def figure(value: Optional[float], unit: str, spread: Optional[float] = None) -> str:
    """A value as the table shows it."""
    if value is None:
        return "–"
    digits = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2
    noise = ""
    if spread is not None and spread >= 0.005:
        noise = f" ±{spread * 100:.0f} %" if spread <= 1 else " ±>100 %"
    space = "" if unit in ("", "/s") else " "
    return f"{value:,.{digits}f}{space}{unit}{noise}"


def target_text(row: Row, *targets: Target) -> str:
    """These targets of a row, or all of them, in words."""
    words = []
    for target in targets or row.targets:
        if isinstance(target, AtMost):
            words.append(f"≤ {figure(target.limit, row.unit)}" if target.limit else "0")
        elif isinstance(target, Times):
            words.append(f"≥ {target.factor:g}×")
        else:
            words.append(f"≤ {target.factor:g} × floor")
    return ", ".join(words)


def cells(scenario: Scenario, row: Row, measured: Measured) -> tuple[str, ...]:
    """One row of the table."""
    if measured.missing:
        return (row.label, "", "", "", "", target_text(row), f"not built yet: {', '.join(measured.missing)}")
    if measured.impossible:
        return (row.label, "", "", "", "", target_text(row), f"not measured: {measured.impossible}")
    medians = {side: measured.median(side, row.metric) for side in (PUBLISHED, OURS, FLOOR)}
    noisy = row.noise > EXACT
    shown = {
        side: "failed"
        if side in measured.failures
        else figure(value, row.unit, measured.spread(side, row.metric) if noisy else None)
        for side, value in medians.items()
    }
    gain = ratio(row, medians[PUBLISHED], medians[OURS])
    return (
        row.label,
        shown[PUBLISHED],
        shown[OURS],
        "" if gain is None else f"{figure(gain, '')}×",
        "" if medians[FLOOR] is None else shown[FLOOR],
        target_text(row),
        verdict(row, medians[PUBLISHED], medians[OURS], medians[FLOOR]),
    )


def markdown(rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table, aligned for a terminal too."""
    table = [HEADINGS, *rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEADINGS))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in table]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"
