"""Accounts of people, as a test makes them."""

from __future__ import annotations

from typing import Any, Callable, Dict

import pytest
import requests

from entra_emulator import EntraEmulator, SignInError


def test_default_user(entra: EntraEmulator):
    """A user is there from the start, the same in every run."""
    user = entra.user

    assert user.username == "user@emulator.onmicrosoft.com"
    assert user.password == "entra-emulator-default-password"
    assert user.home_account_id == f"{user.object_id}.{entra.tenant.id}"
    assert user.display_name == "Emulator User"
    assert entra.user == user


def test_added_users(entra: EntraEmulator):
    """A name without a domain belongs to the tenant; ids depend on the name alone."""
    fabrikam = entra.add_tenant("fabrikam.onmicrosoft.com")
    ada = entra.add_user("ada", "pw", tenant=fabrikam, guest_of=entra.tenant, display_name="Ada L.")

    assert (ada.username, ada.display_name, ada.tenant_id) == ("ada@fabrikam.onmicrosoft.com", "Ada L.", fabrikam.id)
    assert ada.guest_of == (entra.tenant.id,)
    assert ada.object_id_in(entra.tenant.id) != ada.object_id
    assert entra.add_user("bob@any.example", "pw").display_name == "bob"


def test_personal_accounts(entra: EntraEmulator):
    """A personal account has the home and the short ids of Microsoft accounts."""
    me = entra.add_user("me@outlook.example", "pw", personal=True)

    assert me.tenant_id == "9188040d-6c67-4c5b-b112-36a304b66dad"
    assert me.object_id.startswith("00000000-0000-0000-")


def test_reset_forgets_users(entra: EntraEmulator):
    """After a reset, only the default user is there."""
    entra.add_user("ada", "pw")
    entra.reset()

    assert entra.user.password
    assert entra.add_user("ada", "other").password == "other"


def test_passwords_do_not_show(entra: EntraEmulator):
    """A user's repr has no password."""
    assert entra.user.password not in repr(entra.user)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda entra: entra.add_user("", "pw"), "username: expected"),
        (lambda entra: entra.add_user("a b", "pw"), "username: expected"),
        (lambda entra: entra.add_user("@x", "pw"), "username: expected"),
        (lambda entra: entra.add_user("ada", ""), "password: expected"),
        (lambda entra: entra.add_user("USER", "pw"), "username: .* is taken"),
        (lambda entra: entra.add_user("ada", "pw", personal=True, tenant=entra.tenant), "tenant: expected none"),
        (lambda entra: entra.add_app(public=True, secrets=["x"]), "public: expected"),
        (lambda entra: entra.add_app(redirect_uris=["/relative"]), "redirect_uris: expected"),
        (lambda entra: entra.add_app(redirect_uris=["https://x/#f"]), "redirect_uris: expected"),
        (lambda entra: entra.add_app(redirect_uris=["javascript:alert(1)"]), "redirect_uris: expected"),
        (lambda entra: entra.require_claims("https://vault.azure.net", {}), "claims: expected"),
        (
            lambda entra: entra.require_claims("https://vault.azure.net", {"access_token": {"oid": None}}),
            "claims: 'oid' is not",
        ),
        (
            lambda entra: entra.grant_consent(entra.app, "https://vault.azure.net", "Nothing"),
            "scopes: 'Nothing' is not",
        ),
    ],
)
def test_bad_arguments(entra: EntraEmulator, call: Callable[[EntraEmulator], Any], match: str):
    """A mistake in a test is reported where it is made, by the name of the argument."""
    with pytest.raises(ValueError, match=match):
        call(entra)


@pytest.mark.parametrize(
    "call",
    [
        lambda entra: entra.require_mfa("api://unknown"),
        lambda entra: entra.require_claims("api://unknown", {"access_token": {"acrs": None}}),
        lambda entra: entra.grant_consent("nothing", "https://vault.azure.net"),
        lambda entra: entra.add_app(permissions={"api://unknown": ["x"]}),
    ],
)
def test_unknown_names(entra: EntraEmulator, call: Callable[[EntraEmulator], Any]):
    """What is not registered is a look-up error."""
    with pytest.raises(LookupError, match="not registered"):
        call(entra)


# ---- which endpoint serves whom ----


@pytest.mark.parametrize(
    ("who", "endpoint", "home"),
    [
        ("member", "organizations", "home"),
        ("member", "common", "home"),
        ("member", "emulator.onmicrosoft.com", "home"),
        ("guest", "emulator.onmicrosoft.com", "emulator"),
        ("guest", "organizations", "home"),
        ("personal", "consumers", "home"),
        ("personal", "common", "home"),
    ],
)
def test_tenant_of_the_token(entra: EntraEmulator, program: Any, claims_in: Any, who: str, endpoint: str, home: str):
    """Endpoints for many tenants give a token of the account's home; a tenant's own endpoint gives one of that."""
    fabrikam = entra.add_tenant("fabrikam.onmicrosoft.com")
    user = {
        "member": entra.user,
        "guest": entra.add_user("gast", "pw", tenant=fabrikam, guest_of=[entra.tenant]),
        "personal": entra.add_user("me@outlook.example", "pw", personal=True),
    }[who]

    answer = program.redeem(program.code(user, tenant=endpoint), tenant=endpoint).json()

    found = claims_in(answer["access_token"])
    assert found["tid"] == (user.tenant_id if home == "home" else entra.tenant.id)
    assert found["oid"] == user.object_id_in(found["tid"])
    assert claims_in(answer["id_token"])["oid"] == found["oid"]


@pytest.mark.parametrize(
    ("who", "endpoint", "code"),
    [
        ("stranger", "emulator.onmicrosoft.com", 50020),
        ("personal", "organizations", 500200),
        ("personal", "emulator.onmicrosoft.com", 50020),
        ("member", "consumers", 50020),
    ],
)
def test_strangers(entra: EntraEmulator, program: Any, who: str, endpoint: str, code: int):
    """Who is not known in a tenant is told so on a page; the program hears nothing."""
    fabrikam = entra.add_tenant("fabrikam.onmicrosoft.com")
    user = {
        "member": entra.user,
        "stranger": entra.add_user("alien", "pw", tenant=fabrikam),
        "personal": entra.add_user("me@outlook.example", "pw", personal=True),
    }[who]

    with pytest.raises(SignInError, match=f"AADSTS{code}: "):
        program.code(user, tenant=endpoint)


def test_single_tenant_apps(entra: EntraEmulator, make_program: Any, refused: Any):
    """An app of one tenant works at that tenant's endpoint alone."""
    other = entra.add_tenant("fabrikam.onmicrosoft.com")
    app = make_program(entra.add_app(public=True, redirect_uris=["http://localhost"], admin_consent=True))

    assert app.password(tenant=entra.tenant.id).status_code == 200
    refused(app.password(tenant="organizations"), 50194, "invalid_request")
    refused(app.password(tenant=other.id), 700016, "unauthorized_client")


# ---- user realm ----


def realm(entra: EntraEmulator, client: requests.Session, user: str) -> Dict[str, Any]:
    url = f"{entra.authority}/common/userrealm/{user}?api-version=1.0"
    return dict(client.get(url, timeout=10).json())


def test_user_realm(entra: EntraEmulator, client: requests.Session):
    """A federated account is told by its realm; others by their domain."""
    entra.add_user("fed@corp.example", "pw", federated=True)

    federated = realm(entra, client, "fed@corp.example")
    assert (federated["account_type"], federated["federation_protocol"]) == ("Federated", "WSTrust")
    assert federated["federation_metadata_url"].startswith(entra.authority)
    assert realm(entra, client, entra.user.username)["account_type"] == "Managed"
    assert realm(entra, client, "other@corp.example")["account_type"] == "Unknown"
