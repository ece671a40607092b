"""Verdicts are what they claim to be."""

from __future__ import annotations

from benchmarks.catalogue import CPU, EXACT, SCENARIOS, WALL, AtMost, OfFloor, Row, Times
from benchmarks.report import INSIDE_NOISE, MET, NO_TARGET, cells, figure, ratio, verdict
from benchmarks.runner import Measured


def test_a_target_that_is_met_and_a_gain_above_the_noise_is_met() -> None:
    """Five times faster and below the limit."""
    assert verdict(Row("", "", "ms", WALL, (AtMost(25), Times(5))), 100.0, 20.0, None) == MET


def test_a_gain_below_the_noise_is_never_called_one() -> None:
    """1.39 times faster is noise in wall time, and a gain in CPU time."""
    assert verdict(Row("", "", "ms", WALL, (AtMost(25),)), 27.8, 20.0, None) == INSIDE_NOISE
    assert verdict(Row("", "", "ms", CPU, (AtMost(25),)), 27.8, 20.0, None) == MET


def test_every_target_of_a_row_has_to_be_met() -> None:
    """The one that is missed by most is named."""
    row = Row("", "", "ms", WALL, (AtMost(25), Times(15)))

    assert verdict(row, 100.0, 20.0, None) == "MISSED (≥ 15×) by 200 %"
    assert verdict(row, 1000.0, 50.0, None) == "MISSED (≤ 25 ms) by 100 %"


def test_a_target_relative_to_the_floor_needs_the_floor() -> None:
    """110 % of the floor is allowed; without a floor nothing is."""
    row = Row("", "", "ms", WALL, (OfFloor(1.1),))

    assert verdict(row, 1000.0, 110.0, 100.0) == MET
    assert verdict(row, 1000.0, 111.0, 100.0) == "MISSED by 1 %"
    assert verdict(row, 1000.0, 110.0, None) == "MISSED"


def test_counts_are_exact() -> None:
    """One request too many is a miss, and equal counts are no noise."""
    row = Row("", "", "", EXACT, (AtMost(1),))

    assert verdict(row, 1.0, 1.0, None) == MET
    assert verdict(row, 64.0, 2.0, None) == "MISSED by 100 %"
    assert verdict(Row("", "", "", EXACT, (AtMost(0),)), 0.0, 1.0, None) == "MISSED"


def test_a_side_without_samples_has_missed_its_targets() -> None:
    """A scenario that failed does not pass."""
    assert verdict(Row("", "", "ms", WALL, (AtMost(1),)), 1.0, None, None) == "MISSED"
    assert verdict(Row("", "", "ms", WALL), 1.0, None, None) == NO_TARGET


def test_a_ratio_says_how_many_times_better_ours_is() -> None:
    """For times, less is better; for rates, more."""
    assert ratio(Row("", "", "ms", WALL), 30.0, 10.0) == 3
    assert ratio(Row("", "", "/s", WALL, more_is_better=True), 10.0, 30.0) == 3
    assert ratio(Row("", "", "", EXACT), 64.0, 0.0) is None


def test_medians_and_spreads_are_those_of_the_samples() -> None:
    """The spread is half the distance between the quartiles, relative to the median."""
    measured = Measured({"ours": [{"ms": value} for value in (8.0, 9.0, 10.0, 11.0, 12.0)]})

    assert measured.median("ours", "ms") == 10
    assert measured.spread("ours", "ms") == 0.15
    assert measured.median("published", "ms") is None


def test_figures_have_three_digits() -> None:
    """As many as noise leaves."""
    assert [figure(value, "ms") for value in (0.0123, 1.234, 12.34, 1234.0, None)] == [
        "0.01 ms",
        "1.23 ms",
        "12.3 ms",
        "1,234 ms",
        "–",
    ]


def test_what_this_machine_cannot_run_is_not_measured() -> None:
    """Neither met nor missed: the row says why."""
    scenario = next(one for one in SCENARIOS if one.isolated)

    for row in scenario.rows:
        verdict_cell = cells(scenario, row, Measured(impossible="needs Linux"))[-1]
        assert verdict_cell == "not measured: needs Linux"


def test_scenarios_have_names_of_their_own() -> None:
    """`--only` and the results go by name."""
    names = [scenario.name for scenario in SCENARIOS]

    assert len(names) == len(set(names))
