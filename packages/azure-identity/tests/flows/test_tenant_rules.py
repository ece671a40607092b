"""Which tenant a credential asks when a caller names one."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from azure.core.exceptions import ClientAuthenticationError
from scripted import ScriptedIO, ask, token

from azure.identity import ClientAssertionCredential, ClientSecretCredential, CredentialUnavailableError


def made(kind: str, tenant: str, **options: Any) -> Any:
    if kind == "secret":
        return ClientSecretCredential(tenant, "cid", "s", **options)
    return ClientAssertionCredential(tenant, "cid", lambda: "a", **options)


@pytest.mark.parametrize("kind", ["secret", "assertion"])
@pytest.mark.parametrize(
    ("configured", "requested", "allowed", "asked"),
    [
        pytest.param("T1", None, (), "T1", id="none named"),
        pytest.param("T1", "t1", (), "T1", id="its own, in another case"),
        pytest.param("t1", "t2", ("*",), "t2", id="any allowed"),
        pytest.param("t1", "T2", ("t2",), "T2", id="this one allowed"),
        pytest.param("organizations", "t2", (), "t2", id="organizations"),
    ],
)
def test_the_tenant_in_the_url(
    kind: str, configured: str, requested: Optional[str], allowed: tuple[str, ...], asked: str
) -> None:
    """The configured one, or an allowed one that was named."""
    io = ScriptedIO(token())

    ask(made(kind, configured, additionally_allowed_tenants=list(allowed)), io, tenant=requested)

    assert io.requests[0].url == f"https://login.microsoftonline.com/{asked}/oauth2/v2.0/token"


@pytest.mark.parametrize("kind", ["secret", "assertion"])
@pytest.mark.parametrize(("configured", "allowed"), [("t1", ()), ("t1", ("t3",)), ("common", ())])
def test_a_foreign_tenant_is_refused_without_a_request(kind: str, configured: str, allowed: tuple[str, ...]) -> None:
    """The message says how to allow it. It is no "could not try": a chain stops."""
    io = ScriptedIO()

    with pytest.raises(ClientAuthenticationError) as caught:
        ask(made(kind, configured, additionally_allowed_tenants=list(allowed)), io, tenant="t2")

    assert not isinstance(caught.value, CredentialUnavailableError)
    for words in ("not configured to acquire tokens for tenant t2", "additionally_allowed_tenants", '"*"'):
        assert words in str(caught.value)
    io.finished()


@pytest.mark.parametrize("value", ["true", "1", "YES", " on "])
def test_multitenant_authentication_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Then the configured tenant is asked, and its token is the one in the cache."""
    monkeypatch.setenv("AZURE_IDENTITY_DISABLE_MULTITENANTAUTH", value)
    io, cred = ScriptedIO(token("T1")), made("secret", "t1", additionally_allowed_tenants=["*"])

    assert [ask(cred, io, tenant=name).token for name in ("t2", None, "t3")] == ["T1"] * 3
    assert "/t1/" in io.requests[0].url
    io.finished()


@pytest.mark.parametrize("value", ["false", "0", "No", "off", "", " "])
def test_a_false_word_does_not_switch_it_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """`false` means false."""
    monkeypatch.setenv("AZURE_IDENTITY_DISABLE_MULTITENANTAUTH", value)
    io = ScriptedIO(token())

    ask(made("secret", "t1", additionally_allowed_tenants=["*"]), io, tenant="t2")

    assert "/t2/" in io.requests[0].url


def test_another_word_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """That names the variable."""
    monkeypatch.setenv("AZURE_IDENTITY_DISABLE_MULTITENANTAUTH", "maybe")

    with pytest.raises(ValueError, match="AZURE_IDENTITY_DISABLE_MULTITENANTAUTH must be true or false"):
        ask(made("secret", "t1"), ScriptedIO(), tenant="t2")


def test_tenants_are_one_whatever_their_case() -> None:
    """One token serves `T2` and `t2`."""
    io, cred = ScriptedIO(token("T")), made("secret", "t1", additionally_allowed_tenants=["*"])

    assert [ask(cred, io, tenant=name).token for name in ("T2", "t2")] == ["T", "T"]
    io.finished()
