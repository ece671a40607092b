"""Grants that bring tokens of people: authorization code, refresh token, password."""

from __future__ import annotations

from typing import Any, Dict

import jwt
import pytest
import requests

from entra_emulator import EntraEmulator

POWERSHELL = "1950a258-227b-4e31-a9cf-717495945fc2"
VS_CODE = "aebc6443-996d-45c2-90f0-388ff96faa56"
DAY = 24 * 3600


# ---- what comes back ----


def test_whole_answer(entra: EntraEmulator, program: Any):
    """An answer to a person's sign-in has all its members."""
    answer = program.signed_in()

    assert {name: answer[name] for name in ("token_type", "expires_in", "ext_expires_in", "scope", "foci")} == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "ext_expires_in": 3600,
        "scope": "https://management.azure.com/user_impersonation https://management.azure.com/.default",
        "foci": "1",
    }
    assert set(answer) - {"token_type", "expires_in", "ext_expires_in", "scope", "foci"} == {
        "access_token",
        "refresh_token",
        "id_token",
        "client_info",
    }


@pytest.mark.parametrize(
    ("scope", "absent"),
    [
        ("https://management.azure.com/.default", {"id_token", "refresh_token", "foci"}),
        ("https://management.azure.com/.default openid", {"refresh_token", "foci"}),
        ("https://management.azure.com/.default offline_access", {"id_token"}),
    ],
)
def test_nothing_unasked(program: Any, scope: str, absent: Any):
    """Id tokens come with `openid` alone, refresh tokens with `offline_access` alone, account info if asked."""
    answer = program.password(scope=scope, client_info=None).json()

    assert absent | {"client_info"} == {"id_token", "refresh_token", "foci", "client_info"} - set(answer)


def test_v1_access_token(entra: EntraEmulator, program: Any, claims_in: Any):
    """A v1 token about a person has the claims of Entra's."""
    entra.clock.freeze(1_800_000_000)
    found = claims_in(program.password().json()["access_token"])

    for name in ("aio", "uti", "rh", "sub"):
        assert found.pop(name)
    assert found == {
        "aud": "https://management.azure.com",
        "iss": f"https://sts.windows.net/{entra.tenant.id}/",
        "iat": 1_799_999_995,
        "nbf": 1_799_999_995,
        "exp": 1_800_003_600,
        "acr": "1",
        "amr": ["pwd"],
        "appid": program.client_id,
        "appidacr": "0",
        "idtyp": "user",
        "name": "Emulator User",
        "oid": entra.user.object_id,
        "scp": "user_impersonation",
        "tid": entra.tenant.id,
        "unique_name": entra.user.username,
        "upn": entra.user.username,
        "ver": "1.0",
    }


def test_v2_access_token(entra: EntraEmulator, program: Any, claims_in: Any):
    """An API that accepts v2 tokens gets one, with its app id as audience."""
    found = claims_in(program.password(scope=f"api://{entra.app.client_id}/user_impersonation").json()["access_token"])

    assert (found["aud"], found["ver"], found["azp"]) == (entra.app.client_id, "2.0", program.client_id)
    assert (found["azpacr"], found["preferred_username"]) == ("0", entra.user.username)
    assert found["iss"] == f"https://login.microsoftonline.com/{entra.tenant.id}/v2.0"
    assert "upn" not in found


def test_id_token(entra: EntraEmulator, program: Any, claims_in: Any):
    """The id token is for the program, carries its nonce, and is signed with a published key."""
    answer = program.signed_in()
    found = claims_in(answer["id_token"])

    for name in ("aio", "uti", "sub", "iat", "nbf", "exp"):
        assert found.pop(name)
    assert found == {
        "aud": program.client_id,
        "iss": f"https://login.microsoftonline.com/{entra.tenant.id}/v2.0",
        "name": "Emulator User",
        "nonce": "a nonce",
        "oid": entra.user.object_id,
        "preferred_username": entra.user.username,
        "tid": entra.tenant.id,
        "ver": "2.0",
    }
    keys = program.client.get(f"{entra.authority}/common/discovery/v2.0/keys", timeout=10).json()["keys"]
    key = jwt.PyJWK.from_dict(keys[0], algorithm="RS256").key
    for token in (answer["id_token"], answer["access_token"]):
        assert jwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})


def test_id_token_without_profile(program: Any, claims_in: Any):
    """Names come with `profile`, the address with `email`."""
    found = claims_in(program.password(scope="openid email https://vault.azure.net/.default").json()["id_token"])

    assert found["email"]
    assert not {"name", "preferred_username", "oid", "nonce"} & set(found)


def test_subjects_are_pairwise(entra: EntraEmulator, program: Any, make_program: Any, claims_in: Any):
    """Two apps cannot tell by `sub` that they see the same person; one app can."""
    other = make_program(entra.add_app(public=True, multi_tenant=True, admin_consent=True))
    subjects = [claims_in(one.password().json()["id_token"])["sub"] for one in (program, program, other)]

    assert subjects[0] == subjects[1] != subjects[2]


def test_guests(entra: EntraEmulator, program: Any, claims_in: Any):
    """A guest's token is about the guest in this tenant, and names the home."""
    fabrikam = entra.add_tenant("fabrikam.onmicrosoft.com")
    guest = entra.add_user("gast", "pw", tenant=fabrikam, guest_of=entra.tenant)
    found = claims_in(program.redeem(program.code(guest, tenant=entra.tenant.id)).json()["access_token"])

    assert (found["tid"], found["oid"]) == (entra.tenant.id, guest.object_id_in(entra.tenant.id))
    assert found["idp"] == f"https://sts.windows.net/{fabrikam.id}/"
    assert found["upn"] == "gast_fabrikam.onmicrosoft.com#EXT#@emulator.onmicrosoft.com"


def test_v1_endpoint(entra: EntraEmulator, program: Any, claims_in: Any):
    """The v1 endpoints take `resource`, and answer with strings; a refresh and an id token come by themselves."""
    url = program.authorize_url(version="", scope=None, resource="https://vault.azure.net", response_mode="query")
    code = entra.sign_in(url, deliver=False).fields["code"]
    first = program.redeem(code, version="", scope=None, resource="https://vault.azure.net").json()
    second = program.refresh(first["refresh_token"], version="", scope=None, resource="https://graph.microsoft.com")

    assert (first["expires_in"], first["resource"]) == ("3600", "https://vault.azure.net")
    assert first["scope"] == "user_impersonation"
    assert claims_in(first["id_token"])["upn"] == entra.user.username
    assert claims_in(second.json()["access_token"])["aud"] == "https://graph.microsoft.com"


def test_protected_resource_knows_people(entra: EntraEmulator, program: Any, client: requests.Session):
    """The protected API tells who called, and with which permissions."""
    token = program.password(scope=entra.resource_scope).json()["access_token"]
    about = client.get(entra.resource_url, headers={"Authorization": f"Bearer {token}"}, timeout=10).json()

    assert about == {
        "appid": program.client_id,
        "oid": entra.user.object_id,
        "tid": entra.tenant.id,
        "roles": [],
        "scp": "user_impersonation",
        "username": entra.user.username,
    }


# ---- scopes ----


@pytest.mark.parametrize(
    ("scope", "aud", "scp", "answered"),
    [
        ("User.Read openid profile", "https://graph.microsoft.com", "User.Read openid profile", None),
        ("openid", "https://graph.microsoft.com", "openid", None),
        (
            "https://graph.microsoft.com/Mail.Read",
            "https://graph.microsoft.com",
            "Mail.Read",
            "https://graph.microsoft.com/Mail.Read",
        ),
        (
            "https://management.core.windows.net//.default",
            "https://management.core.windows.net/",
            "user_impersonation",
            "https://management.core.windows.net//user_impersonation https://management.core.windows.net//.default",
        ),
    ],
)
def test_scopes(program: Any, claims_in: Any, scope: str, aud: str, scp: str, answered: Any):
    """A scope without an API means Graph; an API keeps the slash at its end."""
    answer = program.password(scope=scope).json()
    found = claims_in(answer["access_token"])

    assert (found["aud"], found["scp"]) == (aud, scp)
    assert answer["scope"] == (answered or scp)


@pytest.mark.parametrize(
    ("scope", "code", "error"),
    [
        (None, 900144, "invalid_request"),
        ("https://vault.azure.net/.default https://graph.microsoft.com/User.Read", 70011, "invalid_scope"),
        (
            "https://vault.azure.net/user_impersonation https://graph.microsoft.com/User.Read",
            700022,
            "invalid_scope",
        ),
        ("https://vault.azure.net/Nothing", 650053, "invalid_client"),
        ("https://vault.azure.net", 70011, "invalid_scope"),
        ("/.default", 70011, "invalid_scope"),
        ("api://unknown/.default", 500011, "invalid_resource"),
    ],
)
def test_bad_scopes(program: Any, refused: Any, scope: Any, code: int, error: str):
    """Each bad scope has its error."""
    refused(program.password(scope=scope), code, error)


# ---- authorization codes ----


def test_code_is_redeemed_once(program: Any, refused: Any):
    """A second redemption is refused."""
    code = program.code()

    assert program.redeem(code).status_code == 200
    refused(program.redeem(code), 54005, "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "unknown"}, 70000),
        ({"client_id": POWERSHELL}, 70000),
        ({"code": None}, 900144),
        ({"redirect_uri": None}, 900144),
        ({"redirect_uri": "http://localhost:8401"}, 500112),
        ({"redirect_uri": "http://localhost:8400/"}, 500112),
        ({"code_verifier": None}, 900144),
        ({"code_verifier": "x" * 43}, 501481),
        ({"code_verifier": "é" * 43}, 501481),
        ({"client_secret": "any"}, 700025),
        ({"scope": "https://vault.azure.net/user_impersonation User.Read"}, 700022),
        ({"claims": "{"}, 9000410),
    ],
)
def test_wrong_redemptions(program: Any, refused: Any, changes: Dict[str, Any], error: int):
    """A wrong redemption is refused, and does not use up the code."""
    code = program.code()
    refused(program.redeem(**{"code": code, **changes}), error)

    assert program.redeem(code).status_code == 200


def test_code_ends(entra: EntraEmulator, program: Any, refused: Any):
    """A code lives ten minutes."""
    code, late = program.code(), program.code()
    entra.clock.advance(599)
    assert program.redeem(code).status_code == 200
    entra.clock.advance(1)

    refused(program.redeem(late), 70008, "invalid_grant")


def test_code_for_several_apis(program: Any, claims_in: Any):
    """A code for several APIs is redeemed for one of them; without a scope, for the first."""
    scope = "https://vault.azure.net/user_impersonation User.Read offline_access"
    first = program.redeem(program.code(scope=scope), scope=None).json()
    second = program.redeem(program.code(scope=scope), scope="User.Read").json()

    assert claims_in(first["access_token"])["aud"] == "https://vault.azure.net"
    assert claims_in(second["access_token"])["aud"] == "https://graph.microsoft.com"


def test_web_apps_authenticate(entra: EntraEmulator, make_program: Any, refused: Any, claims_in: Any):
    """A web app redeems its codes with its secret."""
    app = make_program(entra.app, secret=entra.app.secret)
    code = app.code(tenant=entra.tenant.id)

    refused(app.redeem(code, tenant=entra.tenant.id, client_secret=None), 7000218, "invalid_client")
    refused(app.redeem(code, tenant=entra.tenant.id, client_secret="wrong"), 7000215, "invalid_client")
    answer = app.redeem(code, tenant=entra.tenant.id).json()
    assert claims_in(answer["access_token"])["appidacr"] == "1"
    assert "foci" not in answer


def test_web_app_with_a_certificate(entra: EntraEmulator, make_program: Any, make_assertion: Any, claims_in: Any):
    """Or with an assertion."""
    app = make_program(entra.app)
    proof = {
        "client_assertion": make_assertion(),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    answer = app.redeem(app.code(tenant=entra.tenant.id), tenant=entra.tenant.id, **proof)

    assert claims_in(answer.json()["access_token"])["appidacr"] == "2"


# ---- refresh tokens ----


def test_refresh_tokens_rotate(program: Any):
    """Each renewal brings a new refresh token; the old one stays good, as Entra's does."""
    first = program.signed_in()["refresh_token"]
    second = program.refresh(first).json()["refresh_token"]

    assert first != second
    assert [program.refresh(one).status_code for one in (first, second)] == [200, 200]


def test_reuse_detection(entra: EntraEmulator, program: Any, refused: Any):
    """On request, a refresh token that comes again ends its session, and no other."""
    entra.settings.detect_reuse = True
    other = program.signed_in()["refresh_token"]
    first = program.signed_in()["refresh_token"]
    second = program.refresh(first).json()["refresh_token"]

    refused(program.refresh(first), 70000, "invalid_grant", "bad_token")
    refused(program.refresh(second), 70000, "invalid_grant", "bad_token")
    assert program.refresh(other).status_code == 200


def test_code_reuse_detection(entra: EntraEmulator, program: Any, refused: Any):
    """So does a code that comes again."""
    entra.settings.detect_reuse = True
    code = program.code()
    token = program.redeem(code).json()["refresh_token"]

    refused(program.redeem(code), 54005)
    refused(program.refresh(token), 70000, "invalid_grant", "bad_token")


def test_refresh_for_another_resource_and_tenant(entra: EntraEmulator, program: Any, claims_in: Any, refused: Any):
    """A refresh token is for a person and a program, not for an API or a tenant."""
    fabrikam, strange = entra.add_tenant("fabrikam.example"), entra.add_tenant("strange.example")
    ada = entra.add_user("ada", "pw", guest_of=fabrikam)
    token = program.signed_in(ada)["refresh_token"]
    other = program.refresh(token, tenant=fabrikam.id, scope="https://vault.azure.net/.default").json()

    found = claims_in(other["access_token"])
    assert (found["aud"], found["tid"]) == ("https://vault.azure.net", fabrikam.id)
    assert other["refresh_token"]
    assert other["client_info"] == program.refresh(token).json()["client_info"]
    refused(program.refresh(token, tenant=strange.id), 50020, "invalid_grant")


def test_refresh_without_scope(program: Any, claims_in: Any):
    """Without a scope, the token is for the same API again."""
    token = program.password(scope="https://vault.azure.net/.default offline_access").json()["refresh_token"]

    assert claims_in(program.refresh(token, scope=None).json()["access_token"])["aud"] == "https://vault.azure.net"


def test_families(entra: EntraEmulator, program: Any, make_program: Any, refused: Any, claims_in: Any):
    """Members of a family redeem each other's refresh tokens; others are told that they are none."""
    token = program.signed_in()["refresh_token"]
    lone = make_program(
        entra.add_app(public=True, multi_tenant=True, redirect_uris=["http://localhost"], admin_consent=True)
    )
    member = program.refresh(token, client_id=POWERSHELL).json()

    assert claims_in(member["access_token"])["appid"] == POWERSHELL
    assert member["foci"] == "1"
    refused(program.refresh(token, client_id=VS_CODE), 70000, "invalid_grant", "client_mismatch")
    refused(lone.refresh(token), 70000, "invalid_grant", "client_mismatch")
    refused(program.refresh(lone.signed_in()["refresh_token"]), 70000, "invalid_grant")


def test_refresh_tokens_end(entra: EntraEmulator, program: Any, refused: Any):
    """A refresh token that is not used ends after 90 days; use keeps the session alive."""
    first = program.signed_in()["refresh_token"]
    entra.clock.advance(89 * DAY)
    second = program.refresh(first).json()["refresh_token"]
    entra.clock.advance(DAY)

    body = refused(program.refresh(first), 700082, "invalid_grant", "bad_token")
    assert "inactive for 90 days" in body["error_description"]
    assert program.refresh(second).status_code == 200


def test_refresh_token_lifetime_is_a_setting(entra: EntraEmulator, program: Any, refused: Any):
    """Tests may have shorter ones."""
    entra.settings.refresh_token_lifetime = 60
    token = program.signed_in()["refresh_token"]
    entra.clock.advance(60)

    refused(program.refresh(token), 700082)


@pytest.mark.parametrize("token", ["garbage", "1." + "x" * 64])
def test_unknown_refresh_tokens(program: Any, refused: Any, token: str):
    """What is no refresh token is refused."""
    refused(program.refresh(token), 70000, "invalid_grant")


def test_web_app_refresh(entra: EntraEmulator, make_program: Any, refused: Any):
    """A web app authenticates for that as well."""
    app = make_program(entra.app, secret=entra.app.secret)
    token = app.redeem(app.code(tenant=entra.tenant.id), tenant=entra.tenant.id).json()["refresh_token"]

    refused(app.refresh(token, tenant=entra.tenant.id, client_secret=None), 7000218)
    assert app.refresh(token, tenant=entra.tenant.id).status_code == 200


def test_revocation(entra: EntraEmulator, program: Any, refused: Any):
    """After a revocation the person has to sign in again; others do not."""
    ada = entra.add_user("ada", "pw")
    hers, code, mine = program.signed_in(ada)["refresh_token"], program.code(ada), program.signed_in()["refresh_token"]
    browser = entra.browser(ada)
    browser.sign_in(program.authorize_url(), deliver=False)
    entra.revoke(ada)

    refused(program.refresh(hers), 50173, "invalid_grant", "bad_token")
    refused(program.redeem(code), 50173, "invalid_grant", "bad_token")
    assert browser.sign_in(program.authorize_url(prompt="none"), deliver=False).fields["error"] == "login_required"
    assert program.refresh(mine).status_code == 200
    assert program.refresh(program.signed_in(ada)["refresh_token"]).status_code == 200


# ---- passwords ----


@pytest.mark.parametrize("tenant", ["organizations", "emulator.onmicrosoft.com"])
def test_password(entra: EntraEmulator, program: Any, claims_in: Any, tenant: str):
    """The right password brings a token; the user name compares without case."""
    answer = program.password(tenant=tenant, username=entra.user.username.upper())

    assert claims_in(answer.json()["access_token"])["oid"] == entra.user.object_id


@pytest.mark.parametrize(
    ("changes", "code", "error"),
    [
        ({"password": "wrong"}, 50126, "invalid_grant"),
        ({"password": "é"}, 50126, "invalid_grant"),
        ({"username": "nobody@emulator.onmicrosoft.com"}, 50034, "invalid_grant"),
        ({"username": "fed@corp.example"}, 50126, "invalid_grant"),
        ({"username": "me@outlook.example"}, 50034, "invalid_grant"),
        ({"password": None}, 900144, "invalid_request"),
        ({"username": None}, 900144, "invalid_request"),
        ({"tenant": "common"}, 9001023, "invalid_request"),
        ({"tenant": "Consumers"}, 9001023, "invalid_request"),
        ({"client_secret": "x"}, 700025, "invalid_client"),
    ],
)
def test_refused_passwords(
    entra: EntraEmulator, program: Any, refused: Any, changes: Dict[str, Any], code: int, error: str
):
    """Each mistake has its code, and the password is never repeated."""
    entra.add_user("fed@corp.example", entra.user.password, federated=True)
    entra.add_user("me@outlook.example", entra.user.password, personal=True)
    body = refused(program.password(**changes), code, error)

    assert entra.user.password not in str(body)


def test_permissive(key_dir: Any, make_program: Any):
    """A permissive emulator knows every client and API, but no user that is not there."""
    with EntraEmulator(key_dir=key_dir, strict=False) as relaxed, requests.Session() as session:
        session.trust_env, session.verify = False, relaxed.ca_file
        program = make_program(relaxed.app)
        program.entra, program.client = relaxed, session
        program.client_id = "11111111-2222-3333-4444-555555555555"

        answer = program.redeem(program.code(scope="api://any/Read"), scope="api://any/Read")
        assert answer.json()["scope"] == "api://any/Read"
        assert program.password(tenant="nowhere.example").json()["error_codes"] == [50020]
        assert program.password(password="wrong").json()["error_codes"] == [50126]
