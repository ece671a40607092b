"""Tenants: which texts can be one, and which one a token is requested from."""

from __future__ import annotations

import re
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity._protocols.tenants import TenantNotAllowed, resolve_tenant, validate_tenant

TENANTS = st.from_regex(r"[a-zA-Z0-9]{1,8}", fullmatch=True)


@pytest.mark.parametrize(
    "tenant",
    ["contoso.onmicrosoft.com", "e0a5c0de-0000-4000-8000-000000000001", "common", "organizations", "adfs", "t"],
)
def test_ids_domains_and_pseudo_tenants_are_tenants(tenant: str) -> None:
    """A GUID, a domain name or one of the words with a meaning."""
    assert tenant == validate_tenant(tenant)


@pytest.mark.parametrize(
    "tenant",
    [
        "",
        None,
        42,
        "my tenant",
        "my_tenant",
        "/",
        "\\",
        '"tenant"',
        "tenant'",
        "tenant\n",
        "ñ",
        "..",
        "a/../b",
        "a..b",
        ".",
        "-",
        "a.",
        "${x}",
        "a;b",
    ],
)
def test_what_could_change_a_path_or_a_command_is_no_tenant(tenant: Any) -> None:
    """The tenant becomes part of URLs and command lines. The message says where to find a real one."""
    with pytest.raises(ValueError, match=r"^tenant_id is invalid: .* Azure portal"):
        validate_tenant(tenant)


@given(st.text())
def test_any_text_is_a_tenant_or_a_value_error(text: str) -> None:
    """An accepted tenant is returned as it is, and is one safe path segment."""
    try:
        tenant = validate_tenant(text)
    except ValueError:
        return

    assert tenant == text
    assert re.fullmatch(r"[A-Za-z0-9.-]+", tenant)
    assert tenant not in (".", "..")


@pytest.mark.parametrize(
    ("configured", "requested", "allowed", "expected"),
    [
        pytest.param("t", None, [], "t", id="nothing requested"),
        pytest.param("t", "", [], "t", id="an empty request is none"),
        pytest.param("t", "t", [], "t", id="the same"),
        pytest.param("T", "t", [], "T", id="the same in another case"),
        pytest.param("t", "o", ["*"], "o", id="any allowed"),
        pytest.param("t", "o", ["o"], "o", id="this one allowed"),
        pytest.param("t", "O", ["p", "o"], "O", id="this one allowed in another case"),
        pytest.param("organizations", "o", [], "o", id="organizations stands for any"),
        pytest.param("adfs", "o", ["*"], "adfs", id="AD FS has no tenants"),
        pytest.param("ADFS", "o", ["*"], "ADFS", id="AD FS in upper case"),
        pytest.param(None, "o", [], "o", id="none configured"),
        pytest.param("", "o", [], "o", id="an empty one configured"),
        pytest.param(None, None, [], None, id="none at all"),
    ],
)
def test_the_tenant_asked(
    configured: Optional[str], requested: Optional[str], allowed: list[str], expected: Optional[str]
) -> None:
    """The configured tenant, unless the caller may choose another."""
    assert expected == resolve_tenant(configured, requested, allowed)


@pytest.mark.parametrize(
    ("configured", "allowed"),
    [
        pytest.param("t", [], id="nothing allowed"),
        pytest.param("t", ["p"], id="another allowed"),
        pytest.param("organizations", ["p"], id="a list narrows organizations"),
        pytest.param("common", [], id="common is no wildcard"),
    ],
)
def test_a_foreign_tenant_is_not_asked(configured: str, allowed: list[str]) -> None:
    """A resource names the tenant in its challenge: it must not steer a credential to a foreign one."""
    with pytest.raises(TenantNotAllowed):
        resolve_tenant(configured, "o", allowed)


def test_multitenant_authentication_can_be_switched_off() -> None:
    """Then the configured tenant is asked, whatever the caller wants; without one, nothing is named."""
    assert resolve_tenant("t", "o", ["*"], multitenant_disabled=True) == "t"
    assert None is resolve_tenant(None, "o", [], multitenant_disabled=True)


@given(st.none() | TENANTS, st.none() | TENANTS, st.lists(TENANTS | st.just("*"), max_size=3), st.booleans())
def test_the_tenant_asked_is_always_one_of_the_two(
    configured: Optional[str], requested: Optional[str], allowed: list[str], disabled: bool
) -> None:
    """Resolution invents no tenant, and a requested one that differs was allowed somehow."""
    try:
        tenant = resolve_tenant(configured, requested, allowed, multitenant_disabled=disabled)
    except TenantNotAllowed:
        assert configured
        assert not disabled
        assert "*" not in allowed
        return

    assert tenant in (configured, requested)
