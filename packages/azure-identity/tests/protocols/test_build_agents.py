"""How build agents are asked for OIDC tokens, and what they answer."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leak_watch import planted

from azure.identity._protocols.build_agents import (
    NoOidcToken,
    endpoint_problem,
    github_request,
    parse_oidc,
    pipelines_request,
)
from azure.identity._values.messages import Response

URI = "https://dev.azure.com/org/project/_apis/distributedtask/hubs/build/plans/p/jobs/j/oidctoken"


def answer(body: Any, status: int = 200, kind: str = "application/json") -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {"content-type": kind}, content)


# --- requests


def test_what_azure_pipelines_is_asked() -> None:
    """Azure DevOps REST API, "Oidctoken - Create"."""
    request = pipelines_request(URI, "connection", planted("system-token"))

    assert (request.method, request.url) == ("POST", f"{URI}?api-version=7.1&serviceConnectionId=connection")
    assert request.headers == {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {planted('system-token')}",
        "X-TFS-FedAuthRedirect": "Suppress",
    }
    assert request.form is None
    assert planted("system-token") not in repr(request)


@pytest.mark.parametrize("uri", [URI + "/", URI + "//", URI + "#x"])
def test_the_address_is_tidied(uri: str) -> None:
    assert pipelines_request(uri, "c", "t").url == f"{URI}?api-version=7.1&serviceConnectionId=c"


def test_a_query_the_agent_put_in_its_address_stays() -> None:
    assert pipelines_request(URI + "?a=b", "c", "t").url == f"{URI}?a=b&api-version=7.1&serviceConnectionId=c"


@given(st.text(min_size=1))
def test_the_id_of_a_service_connection_is_url_encoded(connection: str) -> None:
    """It comes back as it was, and nothing of it becomes another parameter."""
    query = dict(parse_qsl(urlsplit(pipelines_request(URI, connection, "t").url).query, keep_blank_values=True))

    assert query == {"api-version": "7.1", "serviceConnectionId": connection}


def test_what_github_is_asked() -> None:
    """GitHub documentation, "OpenID Connect reference": the audience is added to the address."""
    uri = "https://pipelines.actions.githubusercontent.com/x/_apis/y?api-version=2.0&audience=other"
    request = github_request(uri, planted("request-token"), "api://AzureADTokenExchange")

    parts = urlsplit(request.url)
    assert request.method == "GET"
    assert parts._replace(query="").geturl() == uri.partition("?")[0]
    assert parse_qsl(parts.query) == [("api-version", "2.0"), ("audience", "api://AzureADTokenExchange")]
    assert request.headers["Authorization"] == f"Bearer {planted('request-token')}"


# --- addresses


@pytest.mark.parametrize("uri", [URI, "http://localhost:8080/x", "http://127.0.0.1:1", "http://[::1]:1/x"])
def test_addresses_that_can_be_asked(uri: str) -> None:
    """Over TLS, or on this machine."""
    assert endpoint_problem(uri) is None


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        (None, "is not set"),
        ("", "is not set"),
        ("http://dev.azure.com/x", "is not an https URL"),
        ("ftp://x", "is not an https URL"),
        ("dev.azure.com/x", "is not an https URL"),
        ("https://", "has no host"),
        ("https:///x", "has no host"),
        ("https://[::1", "is not a URL"),
        ("https://host:port", "is not a URL"),
    ],
)
def test_addresses_that_cannot(uri: Any, problem: str) -> None:
    """The token is not sent there."""
    assert endpoint_problem(uri) == problem


@given(st.text() | st.text().map(lambda text: "https://" + text))
def test_any_address_is_judged(uri: str) -> None:
    """Nothing is raised."""
    assert endpoint_problem(uri) in (None, "is not set", "is not an https URL", "has no host", "is not a URL")


# --- answers


def test_the_token_is_read() -> None:
    assert parse_oidc(answer({"oidcToken": "T"}), "oidcToken") == "T"


@pytest.mark.parametrize(
    ("response", "text"),
    [
        pytest.param(
            answer(b"<html>Sign in</html>", 200, "text/html"),
            "Unexpected response from OIDC token endpoint: HTTP 200 (text/html): <html>Sign in</html>.",
            id="a sign-in page",
        ),
        pytest.param(
            answer({"count": 1, "value": "There is no explicit reference to service connection x."}),
            "OIDC token not found in response: it has no 'oidcToken': "
            '{"count": 1, "value": "There is no explicit reference to service connection x."}.',
            id="no reference to the service connection",
        ),
        pytest.param(
            answer({"message": "TF400813: not authorized."}, 401),
            "Unexpected response from OIDC token endpoint: HTTP 401 (application/json): "
            '{"message": "TF400813: not authorized."}.',
            id="401",
        ),
        pytest.param(
            answer(b"", 302, ""), "Unexpected response from OIDC token endpoint: HTTP 302 (no content type).", id="302"
        ),
        pytest.param(
            answer(b"", 204, ""), "Unexpected response from OIDC token endpoint: HTTP 204 (no content type).", id="204"
        ),
        pytest.param(answer([]), "HTTP 200 (application/json): [].", id="a list"),
        pytest.param(answer({"oidcToken": None}), "it has no 'oidcToken'", id="null"),
        pytest.param(answer({"oidcToken": ""}), "it has no 'oidcToken'", id="empty"),
    ],
)
def test_what_is_no_token_is_shown(response: Response, text: str) -> None:
    """Status, kind and how the body begins: the agent says there what is missing."""
    with pytest.raises(NoOidcToken) as caught:
        parse_oidc(response, "oidcToken")

    assert text in str(caught.value)


def test_what_is_shown_has_no_secret_and_an_end() -> None:
    """Neither the token that was sent, nor one that came under another name."""
    secret = planted("system-token")
    body = f'<p>Bearer {secret}</p>{{"token": "{planted("oidc")}"}}' + "x" * 5000
    with pytest.raises(NoOidcToken) as caught:
        parse_oidc(answer(body.encode(), 403, "text/html"), "oidcToken", secret)

    assert "<p>Bearer ***</p>" in str(caught.value)
    assert len(str(caught.value)) < 1200


@given(st.binary(), st.integers(min_value=100, max_value=599))
def test_any_answer_is_a_token_or_none(body: bytes, status: int) -> None:
    """Nothing else is raised."""
    try:
        assert parse_oidc(Response(status, {}, body), "value")
    except NoOidcToken:
        pass
