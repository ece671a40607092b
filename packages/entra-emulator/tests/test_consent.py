"""Consent to delegated permissions: a person's, and an administrator's."""

from __future__ import annotations

from typing import Any

import pytest

from entra_emulator import EntraEmulator, SignInError

GRAPH = "https://graph.microsoft.com"


@pytest.fixture
def app(entra: EntraEmulator) -> Any:
    return entra.add_app("Notes", public=True, multi_tenant=True, redirect_uris=["http://localhost"])


@pytest.fixture
def notes(make_program: Any, app: Any) -> Any:
    """A program that people have to be asked about."""
    return make_program(app)


SCOPE = "User.Read Mail.Read offline_access openid profile"


def test_asked_once(entra: EntraEmulator, notes: Any, claims_in: Any):
    """A person consents once; the token has what they have consented to."""
    page = entra.browser()
    page.sign_in(notes.authorize_url(scope="openid"), deliver=False)
    asked = page.open(notes.authorize_url(scope=SCOPE, prompt=None))
    page.sign_in(notes.authorize_url(scope=SCOPE, prompt=None), deliver=False)
    silent = page.sign_in(notes.authorize_url(scope="User.Read", prompt="none"), deliver=False)

    assert asked.heading == "Permissions requested"
    assert "Notes" in asked.text and "Microsoft Graph: Mail.Read" in asked.text
    assert "Maintain access to data you have given it access to" in asked.text
    found = claims_in(notes.redeem(silent.fields["code"], scope="User.Read").json()["access_token"])
    assert found["scp"] == "User.Read Mail.Read"


def test_refusal(entra: EntraEmulator, notes: Any):
    """Who refuses is asked again the next time; the program hears `access_denied`."""
    browser = entra.browser()
    browser.sign_in(notes.authorize_url(scope="openid"), deliver=False)
    fields = browser.sign_in(notes.authorize_url(scope=SCOPE, prompt=None), deny=True, deliver=False).fields

    assert (fields["error"], fields["error_description"][:12]) == ("access_denied", "AADSTS65004:")
    assert browser.open(notes.authorize_url(scope=SCOPE, prompt=None)).heading == "Permissions requested"


def test_silent_requests(entra: EntraEmulator, notes: Any):
    """A request that must not ask says what is missing."""
    browser = entra.browser()
    browser.sign_in(notes.authorize_url(scope="openid"), deliver=False)
    fields = browser.sign_in(notes.authorize_url(scope=SCOPE, prompt="none"), deliver=False).fields

    assert (fields["error"], fields["suberror"]) == ("consent_required", "consent_required")
    assert fields["error_description"].startswith("AADSTS65001: ")


def test_prompt_consent(entra: EntraEmulator, notes: Any, program: Any):
    """A program can have people asked again, even if nobody is asked otherwise."""
    for one in (notes, program):
        browser = entra.browser()
        browser.sign_in(one.authorize_url(), deliver=False)

        assert browser.open(one.authorize_url(prompt="consent")).heading == "Permissions requested"
        assert browser.sign_in(one.authorize_url(prompt="consent"), deliver=False).fields["code"]


def test_without_a_person(entra: EntraEmulator, notes: Any, refused: Any):
    """Grants without a person are refused until somebody has consented, and again after that was taken back."""
    body = refused(notes.password(scope="User.Read"), 65001, "invalid_grant", "consent_required")
    entra.grant_consent(notes.client_id, GRAPH, "User.Read", user=entra.user)
    granted = notes.password(scope="User.Read offline_access").json()

    assert "Notes" in body["error_description"]
    refused(notes.password(scope="Mail.Read"), 65001)
    refused(notes.refresh(granted["refresh_token"], scope="Mail.Read"), 65001, "invalid_grant", "consent_required")
    entra.revoke_consent(notes.client_id, entra.user)
    refused(notes.refresh(granted["refresh_token"], scope="User.Read"), 65001)


def test_one_persons_consent_is_not_anothers(entra: EntraEmulator, notes: Any, refused: Any):
    """Consent is each person's own; an administrator's is for all."""
    ada = entra.add_user("ada", "pw")
    entra.grant_consent(notes.client_id, GRAPH, "User.Read", user=entra.user)

    refused(notes.password(ada, scope="User.Read"), 65001)
    entra.grant_consent(notes.client_id, GRAPH, "User.Read")
    assert notes.password(ada, scope="User.Read").status_code == 200


def test_everything(entra: EntraEmulator, make_program: Any, app: Any, refused: Any, claims_in: Any):
    """`.default` means what was consented to; if that is nothing, what the registration lists."""
    listed = entra.add_app("Listed", public=True, multi_tenant=True, permissions={GRAPH: ["Mail.Read", "User.Read"]})
    program = make_program(listed)
    scope = f"{GRAPH}/.default"

    refused(program.password(scope=scope), 65001)
    refused(program.password(scope="https://vault.azure.net/.default"), 650057, "invalid_resource")
    entra.grant_consent(listed, GRAPH, "Files.Read")
    answer = program.password(scope=scope).json()
    assert claims_in(answer["access_token"])["scp"] == "Files.Read"
    assert answer["scope"] == f"{GRAPH}/Files.Read {GRAPH}/.default"


def test_consent_to_everything_listed(entra: EntraEmulator, make_program: Any, claims_in: Any):
    """A person asked about `.default` consents to what the registration lists."""
    listed = entra.add_app(
        "Listed",
        public=True,
        multi_tenant=True,
        redirect_uris=["http://localhost"],
        permissions={GRAPH: ["Mail.Read", "User.Read"]},
    )
    program = make_program(listed)
    answer = program.redeem(program.code(scope=f"{GRAPH}/.default"), scope=f"{GRAPH}/.default").json()

    assert claims_in(answer["access_token"])["scp"] == "User.Read Mail.Read"


def test_administrators(entra: EntraEmulator, notes: Any, program: Any):
    """Some permissions are not a person's to give."""
    for one in (notes, program):
        fields = entra.sign_in(one.authorize_url(scope="Directory.Read.All"), deliver=False).fields
        assert (fields["error"], fields["error_description"][:12]) == ("access_denied", "AADSTS90094:")

    entra.grant_consent(notes.client_id, GRAPH, "Directory.Read.All")
    assert entra.sign_in(notes.authorize_url(scope="Directory.Read.All"), deliver=False).fields["code"]


def test_own_permissions(entra: EntraEmulator, notes: Any, program: Any, claims_in: Any):
    """An API has the permissions that its registration says."""
    entra.add_resource("api://orders", scopes=["Orders.Read", "Orders.Write"], admin_scopes=["Orders.Delete"])
    answer = notes.redeem(notes.code(scope="api://orders/Orders.Read"), scope="api://orders/Orders.Read").json()

    assert claims_in(answer["access_token"])["scp"] == "Orders.Read"
    assert answer["scope"] == "api://orders/Orders.Read"
    everything = claims_in(program.password(scope="api://orders/.default").json()["access_token"])
    assert everything["scp"] == "Orders.Read Orders.Write"


def test_device_codes_ask_too(entra: EntraEmulator, notes: Any):
    """The page for device codes asks for consent before it asks for confirmation."""
    url = f"{entra.authority}/organizations/oauth2/v2.0/devicecode"
    said = notes.client.post(url, data={"client_id": notes.client_id, "scope": "User.Read"}, timeout=10).json()
    entra.enter_device_code(said["user_code"])

    posts = [one.form.get("decision") for one in entra.requests.to("devicelogin") if one.method == "POST"]
    assert posts == [None, None, "accept", "accept"]
    admin = notes.client.post(url, data={"client_id": notes.client_id, "scope": "Directory.Read.All"}, timeout=10)
    with pytest.raises(SignInError, match="AADSTS90094"):
        entra.enter_device_code(admin.json()["user_code"])
