"""What the stand-in for msal has of the real one, where that is installed."""

from __future__ import annotations

import inspect
from typing import Any

import fake_msal
import pytest

msal: Any = pytest.importorskip("msal", reason="msal is not installed")


def parameters(function: Any) -> set[str]:
    return {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    } - {"self", "machine"}


def test_a_real_application_takes_every_argument_of_the_fake() -> None:
    """By the signatures of the class and its base class; the hidden one is documented in msal's source."""
    real, fake = msal.PublicClientApplication, fake_msal._Application

    assert parameters(fake.__init__) <= parameters(real.__init__) | parameters(msal.ClientApplication.__init__)
    assert parameters(fake.acquire_token_interactive) - {"enable_msa_passthrough"} <= parameters(
        real.acquire_token_interactive
    )
    assert parameters(fake.get_accounts) <= parameters(real.get_accounts)
    assert parameters(fake.acquire_token_silent_with_error) <= parameters(real.acquire_token_silent_with_error)
    assert parameters(fake_msal.PopAuthScheme.__init__) <= parameters(msal.PopAuthScheme.__init__)


def test_a_real_application_tells_whether_it_has_a_broker() -> None:
    """By an attribute of the same name; and by a constant for console programs."""
    assert msal.PublicClientApplication._enable_broker is False
    assert msal.PublicClientApplication.CONSOLE_WINDOW_HANDLE is not None


def test_a_machine_without_a_runtime_says_so() -> None:
    """The real module for brokers cannot be imported where its runtime is not installed."""
    from azure.identity._broker.msal_bridge import runtime_problem

    if pytest.importorskip("importlib.util").find_spec("pymsalruntime") is not None:
        pytest.skip("the runtime is installed")
    assert "msal[broker]" in str(runtime_problem())
