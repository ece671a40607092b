from __future__ import annotations

from typing import Any, Dict

import jwt
import pytest
import requests

from entra_emulator import EntraEmulator
from entra_emulator.endpoints.discovery import user_realm


def get(client: requests.Session, url: str, status: int = 200, **keywords: Any) -> Dict[str, Any]:
    answer = client.get(url, timeout=10, **keywords)
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("name", ["id", "domain"])
def test_openid_configuration(entra: EntraEmulator, client: requests.Session, name: str):
    """A tenant's document has its GUID in every URL, and the issuer of its tokens."""
    tenant = entra.tenant
    document = get(client, f"{entra.authority}/{getattr(tenant, name)}/v2.0/.well-known/openid-configuration")
    base = f"{entra.authority}/{tenant.id}"

    assert document["token_endpoint"] == f"{base}/oauth2/v2.0/token"
    assert document["authorization_endpoint"] == f"{base}/oauth2/v2.0/authorize"
    assert document["device_authorization_endpoint"] == f"{base}/oauth2/v2.0/devicecode"
    assert document["jwks_uri"] == f"{base}/discovery/v2.0/keys"
    assert document["issuer"] == f"https://login.microsoftonline.com/{tenant.id}/v2.0"


def test_openid_configuration_v1(entra: EntraEmulator, client: requests.Session):
    """The v1 document names the v1 endpoints and issuer."""
    document = get(client, f"{entra.authority}/{entra.tenant.id}/.well-known/openid-configuration")

    assert document["token_endpoint"] == f"{entra.authority}/{entra.tenant.id}/oauth2/token"
    assert document["issuer"] == f"https://sts.windows.net/{entra.tenant.id}/"


@pytest.mark.parametrize("name", ["common", "organizations", "consumers", "COMMON"])
def test_pseudo_tenants(entra: EntraEmulator, client: requests.Session, name: str):
    """The document of a pseudo tenant has a placeholder in its issuer."""
    document = get(client, f"{entra.authority}/{name}/v2.0/.well-known/openid-configuration")

    assert document["issuer"] == "https://login.microsoftonline.com/{tenantid}/v2.0"
    assert document["token_endpoint"] == f"{entra.authority}/{name.lower()}/oauth2/v2.0/token"


def test_urls_follow_the_host_header(entra: EntraEmulator, client: requests.Session):
    """A client that came by another name stays with it."""
    url = f"{entra.http_authority}/common/v2.0/.well-known/openid-configuration"
    document = get(client, url, headers={"Host": "proxy.example:1234"})

    assert document["token_endpoint"] == "http://proxy.example:1234/common/oauth2/v2.0/token"


@pytest.mark.parametrize("path", ["v2.0/.well-known/openid-configuration", "discovery/v2.0/keys", "discovery/keys"])
def test_unknown_tenant(entra: EntraEmulator, client: requests.Session, path: str):
    """A tenant that does not exist has no documents."""
    document = get(client, f"{entra.authority}/nowhere.example/{path}", 400)

    assert document["error_codes"] == [90002]


@pytest.mark.parametrize("path", ["common/discovery/keys", "common/discovery/v2.0/keys"])
def test_keys_verify_tokens(entra: EntraEmulator, client: requests.Session, ask: Any, path: str):
    """The published keys verify tokens, and hold nothing private."""
    keys = get(client, f"{entra.authority}/{path}")["keys"]
    token = ask().json()["access_token"]
    key = jwt.PyJWKSet.from_dict({"keys": keys})[jwt.get_unverified_header(token)["kid"]]

    assert jwt.decode(token, key, algorithms=["RS256"], audience="https://management.azure.com")
    for one in keys:
        assert set(one) <= {"kty", "use", "kid", "x5t", "n", "e", "x5c", "issuer"}


def test_federation_documents(entra: EntraEmulator, client: requests.Session):
    """A hosted issuer can be discovered, and its keys verify its tokens."""
    issuer = entra.federation_issuer("github")
    document = get(client, f"{issuer}/.well-known/openid-configuration")
    keys = jwt.PyJWKSet.from_dict(get(client, document["jwks_uri"]))
    token = entra.federated_token(issuer=issuer, audience="me", claims={"extra": 1})
    claims = jwt.decode(token, keys.keys[0], algorithms=["RS256"], audience="me", issuer=document["issuer"])

    assert document["issuer"] == issuer
    assert claims["extra"] == 1


def test_instance_discovery_1_0(entra: EntraEmulator, client: requests.Session):
    """Version 1.0 names the tenant's document only."""
    document = get(
        client,
        f"{entra.authority}/common/discovery/instance",
        params={
            "api-version": "1.0",
            "authorization_endpoint": f"{entra.authority}/{entra.tenant.id}/oauth2/v2.0/authorize",
        },
    )

    assert document == {
        "tenant_discovery_endpoint": f"{entra.authority}/{entra.tenant.id}/v2.0/.well-known/openid-configuration"
    }


def test_instance_discovery_1_1(entra: EntraEmulator, client: requests.Session):
    """Version 1.1 adds the aliases of this authority and of the known clouds."""
    document = get(
        client,
        f"{entra.authority}/common/discovery/instance",
        params={"api-version": "1.1", "authorization_endpoint": f"{entra.authority}/common/oauth2/authorize"},
    )
    own, public = document["metadata"][:2]
    netloc = f"localhost:{entra.port}"

    assert document["api-version"] == "1.1"
    assert (own["preferred_network"], own["preferred_cache"]) == (netloc, netloc)
    assert own["aliases"] == [netloc, f"127.0.0.1:{entra.port}", f"[::1]:{entra.port}"]
    assert (public["preferred_network"], public["preferred_cache"]) == (
        "login.microsoftonline.com",
        "login.windows.net",
    )


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("https://login.microsoftonline.us/common/oauth2/authorize", "https://login.microsoftonline.us/common/"),
        ("https://sts.windows.net/t/oauth2/v2.0/authorize", "https://sts.windows.net/t/"),
    ],
)
def test_instance_discovery_of_known_clouds(
    entra: EntraEmulator, client: requests.Session, endpoint: str, expected: str
):
    """Microsoft's clouds are known by name."""
    document = get(
        client,
        f"{entra.authority}/common/discovery/instance",
        params={"api-version": "1.1", "authorization_endpoint": endpoint},
    )

    assert document["tenant_discovery_endpoint"].startswith(expected)
    assert document["metadata"][0]["preferred_network"] == "login.microsoftonline.com"


@pytest.mark.parametrize(
    ("endpoint", "code", "error"),
    [
        ("https://evil.example/common/oauth2/authorize", 50049, "invalid_instance"),
        ("https://localhost:1/common/oauth2/authorize", 50049, "invalid_instance"),
        ("ftp://localhost/common", 50049, "invalid_instance"),
        ("https://localhost:x/", 50049, "invalid_instance"),
        ("https://[/", 50049, "invalid_instance"),
        ("nonsense", 50049, "invalid_instance"),
        ("", 900144, "invalid_request"),
    ],
)
def test_unknown_instances(entra: EntraEmulator, client: requests.Session, endpoint: str, code: int, error: str):
    """A host that is no authority is refused."""
    document = get(
        client,
        f"{entra.authority}/common/discovery/instance",
        400,
        params={"api-version": "1.1", "authorization_endpoint": endpoint},
    )

    assert (document["error"], document["error_codes"]) == (error, [code])


@pytest.mark.parametrize(
    ("user", "kind"),
    [
        ("u@contoso.example", "Managed"),
        ("u@CONTOSO.example", "Managed"),
        ("u@elsewhere.example", "Unknown"),
        ("contoso.example", "Unknown"),
    ],
)
def test_user_realm(user: str, kind: str):
    """Accounts of known domains are managed."""
    assert user_realm(user, ["contoso.example"])["account_type"] == kind


def test_user_realm_over_http(entra: EntraEmulator, client: requests.Session):
    """The user in the path is unescaped."""
    realm = get(client, f"{entra.authority}/common/userrealm/me%40{entra.tenant.domain}?api-version=1.0")

    assert realm["domain_name"] == entra.tenant.domain
    assert realm["cloud_audience_urn"] == "urn:federation:MicrosoftOnline"


def test_cloud_metadata(entra: EntraEmulator, client: requests.Session):
    """The Azure CLI learns every endpoint it insists on."""
    document = get(client, f"{entra.authority}/metadata/endpoints?api-version=2022-09-01")

    assert document["authentication"]["loginEndpoint"] == f"{entra.authority}/"
    assert document["resourceManager"] == f"{entra.authority}/"
    assert {"portal", "gallery", "graphAudience", "microsoftGraphResourceId", "batch", "suffixes"} <= set(document)


def test_subscriptions_and_tenants(entra: EntraEmulator, client: requests.Session, ask: Any):
    """The lists want a token for Azure Resource Manager; the one subscription belongs to the caller's tenant."""
    entra.add_tenant("fabrikam.example")
    for scope in ("https://management.azure.com/.default", "https://management.core.windows.net//.default"):
        header = {"Authorization": f"Bearer {ask(scope=scope).json()['access_token']}"}
        subscriptions = get(client, f"{entra.authority}/subscriptions?api-version=2022-12-01", headers=header)
        tenants = get(client, f"{entra.authority}/tenants?api-version=2022-12-01", headers=header)

        assert [one["tenantId"] for one in subscriptions["value"]] == [entra.tenant.id]
        assert [one["defaultDomain"] for one in tenants["value"]] == [entra.tenant.domain, "fabrikam.example"]
    wrong = {"Authorization": f"Bearer {ask(scope='https://vault.azure.net/.default').json()['access_token']}"}
    for path in ("subscriptions", "tenants"):
        assert client.get(f"{entra.authority}/{path}", timeout=10).status_code == 401
        assert client.get(f"{entra.authority}/{path}", headers=wrong, timeout=10).status_code == 401
