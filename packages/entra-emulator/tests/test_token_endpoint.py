"""The token endpoint over HTTP: parsing, headers, statuses."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any, Callable, Dict
from urllib.parse import quote_plus, urlencode

import pytest
import requests

from entra_emulator import EntraEmulator
from entra_emulator.endpoints.forms import parse_basic, parse_form
from entra_emulator.values.errors import EntraError

Ask = Callable[..., requests.Response]
Claims = Callable[[requests.Response], Dict[str, Any]]
GUID = "11111111-2222-3333-4444-555555555555"


def test_answer_headers(ask: Ask):
    """A token is never cached, and the answer names its request."""
    answer = ask()

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store, no-cache"
    assert answer.headers["Pragma"] == "no-cache"
    assert str(uuid.UUID(answer.headers["x-ms-request-id"])) == answer.headers["x-ms-request-id"]
    assert "client-request-id" not in answer.headers


def test_v1_endpoint(entra: EntraEmulator, ask: Ask, claims_of: Claims):
    """The v1 endpoint takes `resource`, answers with strings, and breaks lines in errors."""
    url = f"{entra.authority}/{entra.tenant.domain}/oauth2/token"
    good = ask(url, scope=None, resource="https://vault.azure.net")
    bad = ask(url, scope=None)

    assert claims_of(good)["aud"] == "https://vault.azure.net"
    assert good.json()["expires_in"] == "3600"
    assert bad.json()["error_codes"] == [90014]
    assert "\r\nTrace ID: " in bad.json()["error_description"]


def test_plain_http(entra: EntraEmulator, ask: Ask, claims_of: Claims):
    """The second port speaks HTTP without TLS."""
    assert claims_of(ask(f"{entra.http_authority}/{entra.tenant.id}/oauth2/v2.0/token"))


def test_error_over_http(entra: EntraEmulator, ask: Ask):
    """A refusal has Entra's shape, the client's correlation id, and nothing secret."""
    answer = ask(
        client_secret="not-the-secret",
        headers={"client-request-id": GUID, "return-client-request-id": "true"},
    )
    body = answer.json()

    assert answer.status_code == 401
    assert set(body) == {
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
        "error_uri",
    }
    assert (body["error"], body["error_codes"], body["correlation_id"]) == ("invalid_client", [7000215], GUID)
    assert body["trace_id"] == answer.headers["x-ms-request-id"] == entra.requests.last("token").trace_id
    assert answer.headers["client-request-id"] == GUID == entra.requests.last("token").correlation_id
    assert answer.headers["Cache-Control"] == "no-store, no-cache"
    assert body["error_uri"] == f"{entra.authority}/error?code=7000215"
    assert "not-the-secret" not in answer.text
    assert entra.app.secret not in answer.text


def test_correlation_id_must_be_a_guid(ask: Ask):
    """Anything else in `client-request-id` is not echoed."""
    answer = ask(client_secret="x", headers={"client-request-id": "<script>"})

    assert "<script>" not in answer.text
    assert uuid.UUID(answer.json()["correlation_id"])


def test_timestamp_is_the_emulators(entra: EntraEmulator, ask: Ask):
    """Errors carry the emulator's time."""
    entra.clock.freeze(0)

    assert ask(client_secret="x").json()["timestamp"] == "1970-01-01 00:00:00Z"


def test_help_page(client: requests.Session, ask: Ask):
    """The link in an error leads to an explanation."""
    page = client.get(ask(client_secret="x").json()["error_uri"], timeout=10)

    assert page.text.startswith("AADSTS7000215 (invalid_client, HTTP 401)")


@pytest.mark.parametrize("code", ["", "1", "x", "9" * 50])
def test_help_page_of_nothing(entra: EntraEmulator, client: requests.Session, code: str):
    """Unknown codes have no page."""
    assert client.get(f"{entra.authority}/error?code={code}", timeout=10).status_code == 404


def test_get_is_refused(client: requests.Session, token_url: str):
    """Only POST is served."""
    answer = client.get(token_url, timeout=10)

    assert (answer.status_code, answer.json()["error_codes"]) == (400, [900561])


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data", ""])
def test_content_type(client: requests.Session, token_url: str, secret_form: Dict[str, str], content_type: str):
    """Only forms are read."""
    answer = client.post(token_url, data=urlencode(secret_form), headers={"Content-Type": content_type}, timeout=10)

    assert (answer.status_code, answer.json()["error_codes"]) == (400, [9002313])


def test_charset_is_fine(client: requests.Session, token_url: str, secret_form: Dict[str, str], claims_of: Claims):
    """A content type may name its character set."""
    header = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}

    assert claims_of(client.post(token_url, data=urlencode(secret_form), headers=header, timeout=10))


@pytest.mark.parametrize("name", ["scope", "client_secret", "unknown"])
def test_duplicates(client: requests.Session, token_url: str, secret_form: Dict[str, str], name: str):
    """A parameter that comes twice is refused, whichever it is."""
    form = [*secret_form.items(), (name, "a"), (name, "b")]
    answer = client.post(token_url, data=form, timeout=10)

    assert (answer.status_code, answer.json()["error_codes"]) == (400, [9000411])
    assert f"'{name}'" in answer.json()["error_description"]


@pytest.mark.parametrize("body", [b"\xff", b"a=%FF", b"&".join(b"a%d=" % n for n in range(200))])
def test_unreadable_forms(client: requests.Session, token_url: str, body: bytes):
    """A form must be UTF-8, and not endless."""
    header = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post(token_url, data=body, headers=header, timeout=10)

    assert (answer.status_code, answer.json()["error_codes"]) == (400, [9002313])


def test_too_large(client: requests.Session, token_url: str):
    """A body over 1 MiB is refused."""
    assert client.post(token_url, data={"scope": "x" * (1 << 20)}, timeout=10).status_code == 413


def test_basic_header(entra: EntraEmulator, ask: Ask, claims_of: Claims):
    """Client id and secret may come in an Authorization header, form-encoded first (RFC 6749, 2.3.1)."""
    app = entra.add_app(secrets=["a:b c+d%é"])
    text = f"{quote_plus(app.client_id)}:{quote_plus(app.secret)}"
    header = {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}

    assert claims_of(ask(client_id=None, client_secret=None, headers=header))["appid"] == app.client_id


@pytest.mark.parametrize("value", ["Basic", "Basic %", "Basic /w==", "Basic bm9jb2xvbg==", "Basic OnNlY3JldA=="])
def test_broken_basic_header(value: str):
    """A broken header is refused."""
    with pytest.raises(EntraError) as refusal:
        parse_basic(value)

    assert refusal.value.code == 9002313


@pytest.mark.parametrize("value", ["", "Bearer x", "Negotiate"])
def test_other_authorization(value: str):
    """Other schemes are not client authentication."""
    assert parse_basic(value) is None


def test_forms_keep_blanks():
    """A parameter without a value is still there: it may be a duplicate."""
    assert parse_form(b"a=&b=1&a=2") == [("a", ""), ("b", "1"), ("a", "2")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/a/b/c/d", 404),
        ("POST", "/common/discovery/instance", 405),
        ("PUT", "/tenants", 405),
    ],
)
def test_other_paths(entra: EntraEmulator, client: requests.Session, method: str, path: str, status: int):
    """What is not served answers with JSON, and is in the log."""
    answer = client.request(method, f"{entra.authority}{path}", timeout=10)

    assert answer.status_code == status
    assert answer.json()["error"]["message"] == f"{method} {path}"
    assert entra.requests.last().endpoint == "unknown"
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("tenant", ["..%2f..", "%00", "x" * 3000, "%C3%A9", "a%20b"])
def test_strange_tenants(entra: EntraEmulator, ask: Ask, tenant: str):
    """Odd names in the path are unknown tenants, no more."""
    answer = ask(f"{entra.authority}/{tenant}/oauth2/v2.0/token")

    assert answer.status_code in (400, 404)
    assert json.loads(answer.text)


def test_ids_in_directory(entra: EntraEmulator, ask: Ask, claims_of: Claims):
    """What is added is served at once: a tenant, an app with roles, an API with v2 tokens."""
    tenant = entra.add_tenant("fabrikam.example", display_name="Fabrikam", more_domains=["fabrikam.onmicrosoft.com"])
    orders = entra.add_resource("api://orders", token_version=2)
    app = entra.add_app("shop", tenant=tenant, roles={"api://orders": ["Orders.Read"]})
    app.grant("api://orders", "Orders.Write", "Orders.Read")
    url = f"{entra.authority}/fabrikam.onmicrosoft.com/oauth2/v2.0/token"
    found = claims_of(ask(url, client_id=app.client_id, client_secret=app.secret, scope="api://orders/.default"))

    assert (found["tid"], found["aud"], found["oid"]) == (tenant.id, orders.app_id, app.object_id)
    assert found["roles"] == ["Orders.Read", "Orders.Write"]


def test_secrets_can_be_added(entra: EntraEmulator, ask: Ask, claims_of: Claims):
    """A second secret works beside the first, until its end."""
    entra.app.add_secret("second", expires_on=entra.clock.now() + 60)
    assert claims_of(ask(client_secret="second"))
    assert claims_of(ask())

    entra.clock.advance(60)
    assert ask(client_secret="second").json()["error_codes"] == [7000222]


def test_lifetime_setting(entra: EntraEmulator, ask: Ask):
    """Settings can be changed while it runs, and tests do not see each other's."""
    entra.settings.token_lifetime = 10
    changed = ask().json()["expires_in"]
    entra.reset()

    assert (changed, ask().json()["expires_in"]) == (10, 3600)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda entra: entra.add_tenant("a.example", tenant_id="x"), "tenant_id: expected a GUID"),
        (lambda entra: entra.add_tenant("emulator.onmicrosoft.com"), "is taken"),
        (lambda entra: entra.add_app(client_id="x"), "client_id: expected a GUID"),
        (lambda entra: entra.add_app(client_id=entra.app.client_id), "is taken"),
        (lambda entra: entra.add_app(token_lifetime=0), "token_lifetime: expected positive seconds"),
        (lambda entra: entra.add_resource("api://x", token_version=3), "token_version: expected 1 or 2"),
        (lambda entra: entra.add_resource("api://x", app_id="x"), "app_id: expected a GUID"),
        (lambda entra: entra.add_resource("https://vault.azure.net"), "is taken"),
        (lambda entra: entra.environment("password"), "kind: expected secret, certificate or federated"),
        (lambda entra: entra.app.add_certificate(b"no"), "PEM"),
    ],
)
def test_bad_arguments(entra: EntraEmulator, call: Callable[[EntraEmulator], Any], match: str):
    """A mistake in a test is reported where it is made, by the name of the argument."""
    with pytest.raises(ValueError, match=match):
        call(entra)


def test_missing_parts(entra: EntraEmulator):
    """What an app does not have is a look-up error."""
    app = entra.add_app(secrets=())

    with pytest.raises(LookupError, match="has no secret"):
        _ = app.secret
    with pytest.raises(LookupError, match="not registered"):
        app.grant("api://unknown", "Role")
    entra.reset()
    with pytest.raises(LookupError, match="not registered any more"):
        _ = app.registration
