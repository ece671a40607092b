from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_emulator.tokens.scopes import application_resource
from entra_emulator.values.errors import EntraError


@pytest.mark.parametrize(
    ("scope", "resource"),
    [
        ("https://vault.azure.net/.default", "https://vault.azure.net"),
        ("https://management.core.windows.net//.default", "https://management.core.windows.net/"),
        ("api://guid/.default", "api://guid"),
        ("11111111-2222-3333-4444-555555555555/.default", "11111111-2222-3333-4444-555555555555"),
        (".default", "https://graph.microsoft.com"),
        ("api://a/.default api://a/.default", "api://a"),
    ],
)
def test_resource_of_scope(scope: str, resource: str):
    """One `/.default` is stripped, nothing else."""
    assert application_resource(scope) == resource


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ("User.Read", 1002012),
        ("https://vault.azure.net", 1002012),
        ("https://vault.azure.net/.default openid", 1002012),
        ("/.default", 1002012),
        ("https://a/.default  https://a/.default", 1002012),
        ("https://a/.default https://b/.default", 28000),
    ],
)
def test_refused_scopes(scope: str, code: int):
    """Anything but `.default` of one resource is refused."""
    with pytest.raises(EntraError) as refusal:
        application_resource(scope)

    assert refusal.value.code == code
    assert refusal.value.error == "invalid_scope"


@given(st.text(st.characters(exclude_characters=" ", codec="utf-8"), min_size=1))
def test_resource_survives(resource: str):
    """Any resource without a blank comes back as it was."""
    assert application_resource(f"{resource}/.default") == resource


@given(st.text())
def test_only_refusals(scope: str):
    """No text makes it fail in another way."""
    try:
        application_resource(scope)
    except EntraError as refusal:
        assert refusal.code in (1002012, 28000)
