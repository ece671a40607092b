"""Second factors, claims challenges, and tokens that are called back."""

from __future__ import annotations

import base64
import json
import logging
import re
from typing import Any, Dict

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from entra_emulator import EntraEmulator, SignInError
from entra_emulator.tokens.claims_requests import granted_claims, is_met, not_before, parse_claims_request, values_of
from entra_emulator.values.errors import EntraError

ACRS = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
CP1 = {"access_token": {"xms_cc": {"values": ["CP1"]}}}


def merged(*requests_: Dict[str, Any]) -> str:
    return json.dumps({"access_token": {name: one for each in requests_ for name, one in each["access_token"].items()}})


def challenge_in(answer: requests.Response) -> Dict[str, Any]:
    """The claims of a 401."""
    assert answer.status_code == 401, answer.text
    header = answer.headers["WWW-Authenticate"]
    found = re.search(r'error="insufficient_claims", claims="([^"]+)"', header)
    assert found, header
    return dict(json.loads(base64.b64decode(found.group(1))))


@pytest.fixture
def call(entra: EntraEmulator, client: requests.Session) -> Any:
    """Calls the protected API with a token."""

    def send(token: str) -> requests.Response:
        return client.get(entra.resource_url, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    return send


# ---- a second factor ----


def test_person_with_a_second_factor(entra: EntraEmulator, program: Any, refused: Any, claims_in: Any):
    """Such a person is asked on the page, and no grant does without."""
    ada = entra.add_user("ada", "pw", mfa=True)
    body = refused(program.password(ada), 50076, "interaction_required", "basic_action")
    answer = program.signed_in(ada)

    assert json.loads(body["claims"])["access_token"]["capolids"]["values"]
    assert claims_in(answer["access_token"])["amr"] == ["pwd", "mfa"]
    assert claims_in(program.refresh(answer["refresh_token"]).json()["access_token"])["amr"] == ["pwd", "mfa"]
    assert entra.requests.to("authorize")[-1].form["otp"] == "123456"
    assert "123456" not in repr(entra.requests)


def test_codes(entra: EntraEmulator, program: Any, caplog: pytest.LogCaptureFixture):
    """The code in the log works, as it does with blanks; another does not."""
    ada = entra.add_user("ada", "pw", mfa=True)
    caplog.set_level(logging.INFO, "entra_emulator")
    browser = entra.browser(ada)
    form = browser.open(program.authorize_url()).form
    assert form is not None
    page = browser._submit(form, {"username": ada.username, "password": "pw"}, "go", 10)
    code = caplog.text.split(f"second factor for {ada.username}: ")[1][:6]
    done = browser._submit(page.form, {"otp": f" {code[:3]} {code[3:]}"}, "go", 10)  # type: ignore[union-attr,arg-type]

    assert done.form is not None and done.form.values["code"]  # type: ignore[union-attr]
    with pytest.raises(SignInError, match="didn't work"):
        entra.sign_in(program.authorize_url(), ada, otp="12345", deliver=False)


@pytest.mark.parametrize("target", ["https://vault.azure.net", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"])
def test_policy(entra: EntraEmulator, program: Any, refused: Any, target: str):
    """An API or a client app can ask for a second factor; who has shown it is not asked again."""
    scope = "https://vault.azure.net/.default offline_access"
    before = program.signed_in()["refresh_token"]
    entra.require_mfa(target)

    refused(program.password(scope=scope), 50076, "interaction_required", "basic_action")
    refused(program.refresh(before, scope=scope), 50076, "interaction_required", "basic_action")
    browser = entra.browser()
    first = browser.sign_in(program.authorize_url(scope=scope), deliver=False)
    silent = browser.sign_in(program.authorize_url(scope=scope, prompt="none"), deliver=False)
    for code in (first.fields["code"], silent.fields["code"]):
        assert program.redeem(code, scope=scope).status_code == 200


def test_policy_is_for_one_api(entra: EntraEmulator, program: Any):
    """Other APIs do not ask for it."""
    entra.require_mfa("https://vault.azure.net")

    assert program.password(scope="User.Read").status_code == 200


def test_silent_request_without(entra: EntraEmulator, program: Any):
    """A request that must not ask is told what to ask with."""
    browser = entra.browser()
    browser.sign_in(program.authorize_url(), deliver=False)
    entra.require_mfa("https://management.azure.com")
    fields = browser.sign_in(program.authorize_url(prompt="none"), deliver=False).fields

    assert (fields["error"], fields["error_description"][:12]) == ("interaction_required", "AADSTS50076:")
    assert "capolids" in fields["claims"]


def test_device_codes(entra: EntraEmulator, program: Any, claims_in: Any):
    """The page for device codes asks for the second factor too."""
    entra.require_mfa("https://management.azure.com")
    url = f"{entra.authority}/organizations/oauth2/v2.0/devicecode"
    said = program.client.post(url, data={"client_id": program.client_id, "scope": program.SCOPE}, timeout=10).json()
    entra.enter_device_code(said["user_code"])
    answer = program.ask("urn:ietf:params:oauth:grant-type:device_code", device_code=said["device_code"])

    assert claims_in(answer.json()["access_token"])["amr"] == ["pwd", "mfa"]


# ---- claims challenges ----


def test_claims_challenge(entra: EntraEmulator, program: Any, call: Any, claims_in: Any):
    """An API asks for claims, until a token comes that was requested with them."""
    entra.require_claims(entra.resource_scope.rpartition("/")[0], ACRS)
    token = program.password(scope=entra.resource_scope).json()["access_token"]
    claims = challenge_in(call(token))
    better = program.password(scope=entra.resource_scope, claims=json.dumps(claims)).json()["access_token"]

    assert claims == ACRS
    assert call(better).status_code == 200
    assert claims_in(better)["acrs"] == ["c1"]
    assert challenge_in(call(token)) == ACRS


def test_claims_challenge_for_apps(entra: EntraEmulator, ask: Any, call: Any):
    """Apps that act for themselves are asked as well."""
    entra.require_claims("api://entra-emulator", {"access_token": {"risk": {"essential": True, "value": "low"}}})
    token = ask(scope=entra.resource_scope).json()["access_token"]
    claims = challenge_in(call(token))

    assert call(ask(scope=entra.resource_scope, claims=json.dumps(claims)).json()["access_token"]).status_code == 200


def test_claims_through_every_grant(entra: EntraEmulator, program: Any, claims_in: Any):
    """Claims may come with the authorization request, or with the token request."""
    text = merged(ACRS, CP1)
    first = program.redeem(program.code(claims=text)).json()
    second = program.redeem(program.code(), claims=text).json()
    third = program.refresh(second["refresh_token"], claims=text).json()

    for answer in (first, second, third):
        found = claims_in(answer["access_token"])
        assert (found["acrs"], found["xms_cc"]) == (["c1"], ["CP1"])
        assert answer["expires_in"] == 86400


def test_nobody_asks_for_rights(entra: EntraEmulator, program: Any, ask: Any, claims_in: Any):
    """A claims request cannot make up roles, permissions or identities."""
    wanted = {"roles": {"value": "Admin"}, "oid": {"value": "x"}, "scp": {"value": "All"}, "idtyp": {"value": "app"}}
    text = json.dumps({"access_token": wanted})
    person = claims_in(program.password(claims=text).json()["access_token"])
    app = claims_in(ask(claims=text).json()["access_token"])

    assert (person["oid"], person["scp"], person["idtyp"]) == (entra.user.object_id, "user_impersonation", "user")
    assert app["oid"] == entra.app.object_id
    assert not {"roles"} & set(person) and not {"roles", "scp"} & set(app)


# ---- tokens that are called back ----


def test_revoked_tokens(entra: EntraEmulator, program: Any, call: Any, claims_in: Any):
    """After a revocation the API asks for a newer token, until it gets one. The clock need not move for that."""
    entra.clock.freeze(1_800_000_000)
    token = program.password(scope=entra.resource_scope, claims=json.dumps(CP1)).json()["access_token"]
    assert call(token).status_code == 200
    entra.revoke(entra.user)
    claims = challenge_in(call(token))
    newer = program.password(scope=entra.resource_scope, claims=merged(claims, CP1)).json()["access_token"]

    assert claims == {"access_token": {"nbf": {"essential": True, "value": "1800000000"}}}
    assert call(newer).status_code == 200
    assert claims_in(newer)["nbf"] == 1_800_000_000
    assert challenge_in(call(token)) == claims
    entra.revoke(entra.user)
    assert call(newer).status_code == 401


def test_other_tokens_live_on(entra: EntraEmulator, program: Any, call: Any):
    """Whose client cannot handle a challenge keeps its token to the end; so do other people."""
    ada = entra.add_user("ada", "pw")
    plain = program.password(scope=entra.resource_scope).json()["access_token"]
    hers = program.password(ada, scope=entra.resource_scope, claims=json.dumps(CP1)).json()["access_token"]
    entra.revoke(entra.user)

    assert [call(one).status_code for one in (plain, hers)] == [200, 200]


def test_revoked_apps(entra: EntraEmulator, ask: Any, call: Any):
    """The tokens of an app can be called back too."""
    token = ask(scope=entra.resource_scope, claims=json.dumps(CP1)).json()["access_token"]
    entra.revoke(entra.app)

    assert set(challenge_in(call(token))["access_token"]) == {"nbf"}
    assert call(ask(scope=entra.resource_scope, claims=json.dumps(CP1)).json()["access_token"]).status_code == 200


# ---- userinfo ----


def test_userinfo(entra: EntraEmulator, program: Any, client: requests.Session, claims_in: Any):
    """The endpoint tells about the person behind a Graph token, by the same subject as the id token."""
    ada = entra.add_user("ada", "pw", display_name="Ada Lovelace")
    answer = program.password(ada, scope="openid profile User.Read").json()
    url = f"{entra.authority}/oidc/userinfo"
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    about = client.get(url, headers=headers, timeout=10).json()

    assert (about["name"], about["given_name"], about["family_name"]) == ("Ada Lovelace", "Ada", "Lovelace")
    assert about["email"] == ada.username
    assert about["sub"] == claims_in(answer["id_token"])["sub"]
    assert client.post(url, headers=headers, timeout=10).json() == about
    assert entra.requests.count("userinfo") == 2


def test_userinfo_refusals(entra: EntraEmulator, program: Any, client: requests.Session, ask: Any):
    """It wants a person's token, with `openid`."""
    tokens = {
        program.password(scope="https://vault.azure.net/.default").json()["access_token"]: 401,
        program.password(scope="User.Read").json()["access_token"]: 403,
        ask(scope="https://graph.microsoft.com/.default").json()["access_token"]: 403,
        "": 401,
    }

    for token, status in tokens.items():
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = client.get(f"{entra.authority}/oidc/userinfo", headers=headers, timeout=10)
        assert answer.status_code == status
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


# ---- claims requests ----


@given(
    st.dictionaries(st.text(), st.none() | st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())))
)
def test_any_claims_request(members: Any):
    """Whatever is asked for, what is granted meets it, for names that may be granted."""
    requested = parse_claims_request(json.dumps({"access_token": members}))
    granted = granted_claims(requested, set(members) - {"nbf", "xms_cc"})

    assert is_met(granted, {name: member for name, member in members.items() if name not in ("nbf", "acrs")})


@given(st.text())
def test_any_text(text: str):
    """Any text is either understood or refused."""
    try:
        members = parse_claims_request(text)
    except EntraError as error:
        assert error.code == 9000410
    else:
        assert isinstance(members, dict)


@pytest.mark.parametrize(
    ("member", "values"),
    [
        (None, []),
        ({"essential": True}, []),
        ({"value": "a"}, ["a"]),
        ({"value": 5}, ["5"]),
        ({"value": None}, []),
        ({"values": ["a", "b", None]}, ["a", "b"]),
        ({"values": "a"}, []),
    ],
)
def test_values(member: Any, values: Any):
    """A requested claim has a value, values, or none."""
    assert values_of(member) == values


@pytest.mark.parametrize(
    ("value", "start"),
    [("1800000000", 1_800_000_000), (5, 5), ("x", None), ("-1", None), ("9" * 40, None), (True, None)],
)
def test_not_before(value: Any, start: Any):
    """The start of a token's time can be asked for."""
    assert not_before({"nbf": {"value": value}}) == start
