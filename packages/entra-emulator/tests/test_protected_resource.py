from __future__ import annotations

import base64
import json
from typing import Any, Callable, Dict

import jwt
import pytest
import requests

from entra_emulator import EntraEmulator, claims_challenge

Call = Callable[..., requests.Response]


@pytest.fixture
def call(entra: EntraEmulator, client: requests.Session) -> Call:
    """Calls the protected API with an Authorization header."""

    def send(authorization: str = "", path: str = "", method: str = "GET") -> requests.Response:
        headers = {"Authorization": authorization} if authorization else {}
        return client.request(method, entra.resource_url + path, headers=headers, timeout=10)

    return send


@pytest.fixture
def token(entra: EntraEmulator, ask: Any) -> str:
    return str(ask(scope=entra.resource_scope).json()["access_token"])


def resigned(entra: EntraEmulator, token: str, **changes: Any) -> str:
    """`token` with other claims, signed with the right key."""
    claims = {**jwt.decode(token, options={"verify_signature": False}), **changes}
    return entra._realm.signing_key.sign({name: value for name, value in claims.items() if value is not None})


def test_good_token(entra: EntraEmulator, call: Call, token: str):
    """The API tells who called, by any method and below any path, and never repeats the token."""
    answer = call(f"Bearer {token}", "/orders/1?x=2", "PUT")

    assert answer.json() == {
        "appid": entra.app.client_id,
        "oid": entra.app.object_id,
        "tid": entra.tenant.id,
        "roles": [],
    }


def test_v2_token(entra: EntraEmulator, ask: Any, call: Call):
    """Tokens of the second version are understood too, for an audience of this API."""
    resource = entra._realm.directory.resource("api://entra-emulator")
    assert resource is not None
    token = str(ask(scope=entra.resource_scope).json()["access_token"])
    second = resigned(
        entra,
        token,
        aud=resource.app_id,
        iss=f"https://login.microsoftonline.com/{entra.tenant.id}/v2.0",
        appid=None,
        azp=entra.app.client_id,
        ver="2.0",
    )

    assert call(f"Bearer {second}").json()["appid"] == entra.app.client_id


@pytest.mark.parametrize("authorization", ["", "Basic x", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "x"])
def test_no_token(entra: EntraEmulator, call: Call, authorization: str):
    """Without a usable token the answer is a challenge."""
    answer = call(authorization)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith(
        f'Bearer authorization_uri="{entra.authority}/{entra.tenant.id}", error="invalid_token", error_description="'
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "https://vault.azure.net"}, "audience"),
        ({"aud": ["api://entra-emulator"]}, "audience"),
        ({"iss": "https://elsewhere.example/"}, "issuer"),
        ({"tid": "11111111-2222-3333-4444-555555555555"}, "issuer"),
        ({"exp": None}, "MissingRequiredClaimError"),
        ({"oid": None}, "MissingRequiredClaimError"),
    ],
)
def test_wrong_claims(entra: EntraEmulator, call: Call, token: str, changes: Dict[str, Any], reason: str):
    """A well-signed token with a wrong claim is refused, for the reason given."""
    answer = call(f"Bearer {resigned(entra, token, **changes)}")

    assert answer.status_code == 401
    assert reason in answer.headers["WWW-Authenticate"]


def test_times(entra: EntraEmulator, call: Call, token: str):
    """A token is good from its start to its end, by the emulator's clock."""
    entra.clock.advance(-60)
    early = call(f"Bearer {token}")
    entra.clock.advance(60)
    good = call(f"Bearer {token}")
    entra.clock.advance(3600)
    late = call(f"Bearer {token}")

    assert (early.status_code, good.status_code, late.status_code) == (401, 200, 401)
    assert "not valid yet" in early.text
    assert "expired" in late.text


def test_signature(entra: EntraEmulator, call: Call, token: str):
    """A changed token, one of another key, and an unsigned one are refused."""
    header, payload, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, algorithm="none", headers={"kid": entra._realm.signing_key.kid})
    changed = base64.urlsafe_b64encode(json.dumps({**claims, "roles": ["Admin"]}).encode()).decode().rstrip("=")

    for forged in (
        f"{header}.{changed}.{signature}",
        f"{header}.{payload}.",
        entra._realm.federation.key.sign(claims),
        unsigned,
    ):
        assert call(f"Bearer {forged}").status_code == 401
    assert "signed with an unknown key" in call(f"Bearer {entra._realm.federation.key.sign(claims)}").text


def test_roles(entra: EntraEmulator, ask: Any, call: Call, token: str):
    """A missing role is 403; a granted one opens the door."""
    entra.required_roles = {"Orders.Read"}
    without = call(f"Bearer {token}")
    entra.app.grant("api://entra-emulator", "Orders.Read")
    granted = call(f"Bearer {ask(scope=entra.resource_scope).json()['access_token']}")

    assert without.status_code == 403
    assert 'error="insufficient_scope"' in without.headers["WWW-Authenticate"]
    assert granted.json()["roles"] == ["Orders.Read"]


def test_claims_challenge():
    """A scripted claims challenge has the claims in base64, as API servers send them."""
    header = claims_challenge({"access_token": {"nbf": {"value": "1"}}}, authorization_uri="https://a", client_id="c")
    encoded = header.split('claims="')[1].rstrip('"')

    assert 'error="insufficient_claims"' in header
    assert json.loads(base64.b64decode(encoded)) == {"access_token": {"nbf": {"value": "1"}}}


def chat(entra: EntraEmulator, client: requests.Session, token: str, body: Any) -> requests.Response:
    url = f"{entra.authority}/openai/deployments/gpt/chat/completions?api-version=2024-10-21"
    return client.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10)


def test_chat(entra: EntraEmulator, client: requests.Session, ask: Any):
    """The chat model answers in the format of its API, for a token of Cognitive Services."""
    token = ask(scope="https://cognitiveservices.azure.com/.default").json()["access_token"]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hello there"}]},
    ]
    answer = chat(entra, client, token, {"messages": messages}).json()

    assert answer["object"] == "chat.completion"
    assert answer["model"] == "gpt"
    assert answer["choices"][0]["message"]["content"] == "You said: Hello there"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8}


@pytest.mark.parametrize("body", [{}, [], {"messages": []}, {"messages": ["x"]}, {"messages": [{}], "stream": True}])
def test_bad_chat(entra: EntraEmulator, client: requests.Session, ask: Any, body: Any):
    """A request the stub does not understand is a 400 in the API's error format."""
    token = ask(scope="https://cognitiveservices.azure.com/.default").json()["access_token"]
    answer = chat(entra, client, token, body)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_chat_wants_its_own_audience(entra: EntraEmulator, client: requests.Session, token: str):
    """A token for another API does not open the chat model."""
    assert chat(entra, client, token, {"messages": [{"role": "user", "content": "x"}]}).status_code == 401
