"""Environment variables and options."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from azure.identity._values.settings import check_unknown, read, read_exact, read_flag


@pytest.mark.parametrize(
    ("value", "expected", "exact"),
    [(None, None, None), ("", None, None), ("  ", None, "  "), (" x ", "x", " x "), ("x", "x", "x")],
    ids=["unset", "empty", "blank", "blanks around", "a value"],
)
def test_blank_variables_count_as_unset(value: Optional[str], expected: Optional[str], exact: Optional[str]) -> None:
    """Blanks around a value are dropped, except where they may be part of a password."""
    environ = {} if value is None else {"X": value}

    assert (read("X", environ), read_exact("X", environ)) == (expected, exact)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[(word, True) for word in ("true", "True", "TRUE", "1", "yes", "on", " true ")],
        *[(word, False) for word in ("false", "False", "0", "no", "off", "OFF", "", " ", None)],
    ],
)
def test_booleans(value: Optional[str], expected: bool) -> None:
    """`false` means false."""
    assert read_flag("X", {} if value is None else {"X": value}) is expected


def test_a_boolean_that_is_none_is_refused_by_name() -> None:
    """Guessing would choose an identity or a tenant silently."""
    with pytest.raises(ValueError, match="X must be true or false, but it is 'maybe'"):
        read_flag("X", {"X": "maybe"})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("exclude_cli_credentials", "exclude_cli_credential"),
        ("excludeclicredential", "exclude_cli_credential"),
        ("tenantid", "tenant_id"),
        ("additionaly_allowed_tenants", "additionally_allowed_tenants"),
        ("disable_instance_discovry", "disable_instance_discovery"),
        ("connection_timout", "connection_timeout"),
        ("retry_totl", "retry_total"),
        ("authorty", "authority"),
        ("loging_enable", "logging_enable"),
    ],
)
def test_the_right_spelling_of_an_option_is_named(given: str, meant: str) -> None:
    """By an error where another identity or cloud would be used silently, else by a warning."""
    parameters = ("exclude_cli_credential", "tenant_id")
    if meant in ("tenant_id", "authority"):
        expected = rf"X\(\) got an unexpected keyword argument '{given}'; did you mean '{meant}'\?"
        with pytest.raises(TypeError, match=expected):
            check_unknown("X", {given: 1}, parameters)
    else:
        with pytest.warns(
            UserWarning, match=rf"X\(\) ignores the keyword argument '{given}': did you mean '{meant}'\?"
        ):
            check_unknown("X", {given: 1}, parameters)


@pytest.mark.parametrize(
    "given",
    [{}, {"foo": 42}, {"_private": 1}, {"identity_config": {}}, {"timeout": 1}, {"x_custom_option": 1}],
    ids=str,
)
def test_other_unknown_options_pass_on(given: dict[str, Any]) -> None:
    """As azure-core's convention is."""
    check_unknown("X", given)
