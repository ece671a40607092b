"""How people's tokens are asked for, and what answers say about the account."""

from __future__ import annotations

import base64
import json
from typing import Any, Optional
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity import AuthenticationRecord
from azure.identity._cache.refresh_tokens import RefreshTokens
from azure.identity._protocols import users
from azure.identity._protocols.authority import parse_authority
from azure.identity._protocols.scopes import combined_claims
from azure.identity._values.messages import RefreshToken, Response

PUBLIC = parse_authority("login.microsoftonline.com")


def encoded(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def id_token(**claims: Any) -> str:
    return f"{encoded({'alg': 'none'})}.{encoded(claims)}.signature"


CLIENT_INFO = encoded({"uid": "u", "utid": "t"})


# --- scopes


def test_scopes_of_a_sign_in_bring_id_token_and_refresh_token() -> None:
    """Without offline_access there is no refresh token, and without openid no id token. Sorted, as a set."""
    assert users.user_scopes(["x/.default"]) == "offline_access openid profile x/.default"
    assert users.user_scopes(["b", "openid", "a", "b"]) == "a b offline_access openid profile"


# --- the account


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {
                "client_info": CLIENT_INFO,
                "id_token": id_token(
                    iss="https://login.microsoftonline.com/tid/v2.0",
                    aud="cid",
                    tid="tid",
                    sub="s",
                    preferred_username="ada@contoso.com",
                ),
            },
            ("tid", "cid", "login.microsoftonline.com", "u.t", "ada@contoso.com"),
        ),
        ({"client_info": CLIENT_INFO}, ("tenant", "client", "login.microsoftonline.com", "u.t", "")),
        (
            {"client_info": "garbage", "id_token": id_token(sub="s", upn="ada@contoso.com", tid="tid")},
            ("tid", "client", "login.microsoftonline.com", "s", "ada@contoso.com"),
        ),
        (
            {"id_token": id_token(iss="https://sts.windows.net/tid/", sub="s")},
            ("tid", "client", "sts.windows.net", "s", ""),
        ),
        ({"id_token": id_token(iss="https://[", sub="s", aud=["a", "b"])}, ("tenant", "client", PUBLIC.host, "s", "")),
        ({}, None),
        ({"client_info": encoded({"uid": "u"}), "id_token": id_token(preferred_username="a")}, None),
        ({"client_info": encoded(["uid"]), "id_token": "a.b.c"}, None),
        ({"client_info": 1, "id_token": None}, None),
    ],
    ids=[
        "client_info and id token",
        "client_info alone",
        "id token alone",
        "an older issuer",
        "odd values",
        "nothing",
        "half of it",
        "malformed",
        "other types",
    ],
)
def test_whose_tokens_an_answer_brought(body: Any, expected: Optional[tuple[str, ...]]) -> None:
    """`client_info` identifies the account, else the id token's subject."""
    found = users.parse_account(body, "client", PUBLIC, "tenant")

    assert found == (AuthenticationRecord(*expected) if expected else None)


def test_an_account_of_an_adfs_server() -> None:
    """It has no tenants: its path stands for one, and its subject for the account."""
    claims = {"iss": "https://adfs.contoso.com/adfs", "upn": "ada@contoso.com", "sub": "s", "aud": "cid"}

    found = users.parse_account({"id_token": id_token(**claims)}, "x", parse_authority("adfs.contoso.com"), "adfs")

    assert found == AuthenticationRecord("adfs", "cid", "adfs.contoso.com", "s", "ada@contoso.com")


@pytest.mark.parametrize(
    ("authority", "recorded"),
    [
        ("https://localhost:8443", "localhost:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://login.example/realm", "login.example/realm"),
    ],
)
def test_a_record_leads_back_to_an_authority_that_is_not_microsofts(authority: str, recorded: str) -> None:
    """Whatever issuer it names in its tokens: its address has a port, and maybe a path."""
    claims = {"iss": "https://login.microsoftonline.com/tid/v2.0", "sub": "s"}

    found = users.parse_account({"id_token": id_token(**claims)}, "cid", parse_authority(authority), "tid")

    assert found is not None
    assert found.authority == recorded
    assert parse_authority(found.authority) == parse_authority(authority)


@given(st.dictionaries(st.sampled_from(["client_info", "id_token"]), st.one_of(st.text(), st.integers(), st.none())))
def test_no_answer_breaks_the_parser(body: dict[str, Any]) -> None:
    """A record or nothing."""
    found = users.parse_account(body, "cid", PUBLIC, "tid")

    assert found is None or found.home_account_id


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.lists(st.text()))))
def test_no_claims_break_the_parser(claims: dict[str, Any]) -> None:
    """What an id token says is somebody else's."""
    found = users.parse_account({"id_token": id_token(**{**claims, "sub": "s"})}, "cid", PUBLIC, "tid")

    assert found is not None
    assert found.home_account_id == "s"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"refresh_token": "R"}, RefreshToken("R", "cid")),
        ({"refresh_token": "R", "foci": "1"}, RefreshToken("R", "cid", "1")),
        ({"refresh_token": "R", "foci": 1}, RefreshToken("R", "cid", "1")),
        ({"refresh_token": ""}, None),
        ({"refresh_token": 5}, None),
        ({"foci": "1"}, None),
    ],
)
def test_the_refresh_token_of_an_answer(body: Any, expected: Optional[RefreshToken]) -> None:
    """With the family it belongs to."""
    assert users.refresh_token_of(body, "cid") == expected


# --- the browser


def test_pkce_challenge() -> None:
    """The example of RFC 7636, appendix B."""
    secrets = users.SignIn("s", "n", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")

    assert secrets.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_secrets_of_a_sign_in_are_unlike_each_other_and_never_shown() -> None:
    """43 characters each, of the verifier's alphabet (RFC 7636, section 4.1)."""
    secrets = users.sign_in(bytes(range(96)))

    assert len({*secrets}) == 3
    assert {len(one) for one in secrets} == {43}
    assert all(one not in repr(secrets) for one in secrets)


def test_the_url_the_browser_is_opened_on() -> None:
    """Every parameter, percent-encoded."""
    secrets = users.SignIn("STATE", "NONCE", "VERIFIER")

    url = users.authorize_url(
        PUBLIC,
        "tid",
        "cid",
        "openid x/.default",
        "http://localhost:8400",
        secrets,
        claims='{"a":1}',
        cae=False,
        login_hint="ada+x@contoso.com",
    )

    parts = urlsplit(url)
    assert url.startswith("https://login.microsoftonline.com/tid/oauth2/v2.0/authorize?")
    assert "VERIFIER" not in url
    assert parse_qs(parts.query, strict_parsing=True) == {
        "client_id": ["cid"],
        "response_type": ["code"],
        "redirect_uri": ["http://localhost:8400"],
        "scope": ["openid x/.default"],
        "state": ["STATE"],
        "response_mode": ["form_post"],
        "code_challenge": [secrets.challenge],
        "code_challenge_method": ["S256"],
        "nonce": ["NONCE"],
        "client_info": ["1"],
        "prompt": ["select_account"],
        "login_hint": ["ada+x@contoso.com"],
        "claims": ['{"a":1}'],
    }


def test_the_url_of_an_adfs_server() -> None:
    """No version, no tenant; and no parameter that was not asked for."""
    secrets = users.sign_in(bytes(96))

    url = users.authorize_url(
        parse_authority("adfs.contoso.com"), "adfs", "cid", "s", "http://localhost:1", secrets, claims=None, cae=True,
        login_hint=None,
    )  # fmt: skip

    query = parse_qs(urlsplit(url).query)
    assert url.startswith("https://adfs.contoso.com/adfs/oauth2/authorize?")
    assert "login_hint" not in query
    assert json.loads(query["claims"][0]) == {"access_token": {"xms_cc": {"values": ["CP1"]}}}


# --- the device code


def answer(status: int = 200, **body: Any) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


GOOD = {"device_code": "D", "user_code": "U", "verification_uri": "https://microsoft.com/devicelogin"}


def test_a_device_code() -> None:
    """With everything that Entra ID says."""
    found = users.parse_device_code(answer(**GOOD, message="Go there.", expires_in=600, interval=7))

    assert found == users.DeviceCode("D", "U", GOOD["verification_uri"], "Go there.", 600, 7)
    assert "'D'" not in repr(found)
    assert "'U'" not in repr(found)


@pytest.mark.parametrize(
    ("more", "expires_in", "interval"),
    [
        ({}, 900, 5),
        ({"expires_in": "900", "interval": "1"}, 900, 1),
        ({"expires_in": 0, "interval": -3}, 900, 5),
        ({"expires_in": None, "interval": "soon"}, 900, 5),
        ({"interval": 0}, 900, 0),
    ],
)
def test_what_a_device_code_leaves_out(more: Any, expires_in: int, interval: int) -> None:
    """The interval is 5 seconds then (RFC 8628, section 3.2), and the message our own."""
    found = users.parse_device_code(answer(**GOOD, **more))

    assert found is not None
    assert (found.expires_in, found.interval) == (expires_in, interval)
    assert found.message == f"To sign in, open {GOOD['verification_uri']} in a web browser and enter the code U."


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, "", 5])
def test_an_answer_without_a_device_code(name: str, value: Any) -> None:
    """Codes are texts that are not empty."""
    assert users.parse_device_code(answer(**{**GOOD, name: value})) is None
    assert users.parse_device_code(answer(400, **GOOD)) is None
    assert users.parse_device_code(Response(200, {}, b"<html>")) is None


# --- headers, claims


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"home_account_id": "u.t"}, {"X-AnchorMailbox": "Oid:u@t"}),
        ({"home_account_id": "s"}, {}),
        ({"username": "ada@contoso.com"}, {"X-AnchorMailbox": "upn:ada@contoso.com"}),
        ({"username": "ädä@contoso.com"}, {}),
        ({"username": "a\r\nX-Evil: 1"}, {}),
        ({}, {}),
    ],
)
def test_the_hint_where_an_account_lives(given: Any, expected: dict[str, str]) -> None:
    """Only what fits in a header."""
    assert users.anchor(**given) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (None, None, None),
        ('{"a":1}', None, '{"a":1}'),
        (None, '{"a":1}', '{"a":1}'),
        ('{"a":1}', "no json", '{"a":1}'),
        ('{"a":1}', '{"a":1}', '{"a":1}'),
        (
            '{"access_token":{"nbf":{"essential":true},"acrs":1}}',
            '{"access_token":{"acrs":2},"id_token":{"x":1}}',
            '{"access_token": {"nbf": {"essential": true}, "acrs": 2}, "id_token": {"x": 1}}',
        ),
    ],
)
def test_two_claims_challenges_become_one(first: Optional[str], second: Optional[str], expected: Optional[str]) -> None:
    """A sign-in must satisfy the resource that challenged, and the authority that refused to renew."""
    assert combined_claims(first, second) == expected


# --- refresh tokens


def test_the_newest_refresh_token_of_a_client_counts() -> None:
    """Also when it has left its family since."""
    tokens = RefreshTokens()
    tokens.put("cloud", "home", RefreshToken("R1", "cid"))
    tokens.put("cloud", "home", RefreshToken("R2", "cid"))
    tokens.put("cloud", "home", RefreshToken("R3", "cid", "1"))
    tokens.put("cloud", "home", RefreshToken("R4", "cid"))

    assert [token.secret for token in tokens.candidates("cloud", "home", "cid")] == ["R4", "R3"]


def test_refresh_tokens_of_others_are_not_tried() -> None:
    """Of another client without a family, another account, another cloud."""
    tokens = RefreshTokens()
    tokens.put("cloud", "home", RefreshToken("R1", "other"))
    tokens.put("cloud", "elsewhere", RefreshToken("R2", "cid"))
    tokens.put("fog", "home", RefreshToken("R3", "cid"))

    assert tokens.candidates("cloud", "home", "cid") == []


def test_a_familys_refresh_token_serves_its_members_until_it_was_refused() -> None:
    """After its own. A client that gets a family token itself is a member again."""
    tokens = RefreshTokens()
    tokens.put("cloud", "home", RefreshToken("F", "other", "1"))
    tokens.put("cloud", "home", RefreshToken("R", "cid"))

    assert [token.secret for token in tokens.candidates("cloud", "home", "cid")] == ["R", "F"]
    tokens.leave_family("cid")
    assert [token.secret for token in tokens.candidates("cloud", "home", "cid")] == ["R"]
    assert [token.secret for token in tokens.candidates("cloud", "home", "other")] == ["F"]
    tokens.put("cloud", "home", RefreshToken("F2", "cid", "1"))
    assert [token.secret for token in tokens.candidates("cloud", "home", "cid")] == ["F2", "R"]


def test_a_dropped_refresh_token_is_gone_and_its_successor_is_not() -> None:
    """Another thread may have renewed it in between."""
    tokens = RefreshTokens()
    tokens.put("cloud", "home", RefreshToken("R1", "cid"))
    tokens.put("cloud", "home", RefreshToken("R2", "cid"))

    tokens.drop("cloud", "home", "R1")
    assert [token.secret for token in tokens.candidates("cloud", "home", "cid")] == ["R2"]
    tokens.drop("cloud", "home", "R2")
    tokens.drop("cloud", "nobody", "R2")
    assert tokens.candidates("cloud", "home", "cid") == []


def test_refresh_tokens_are_not_shown() -> None:
    """By no repr."""
    tokens = RefreshTokens()
    tokens.put("cloud", "home", RefreshToken("S3CRET", "cid"))

    assert "S3CRET" not in repr(tokens) + repr(tokens.candidates("cloud", "home", "cid"))
