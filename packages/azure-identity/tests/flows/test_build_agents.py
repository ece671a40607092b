"""Azure Pipelines and GitHub Actions: an OIDC token of the build agent is exchanged for an access token."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from scripted import NOW, ScriptedIO, refusal, reply, token

from azure.identity import CredentialUnavailableError
from azure.identity._protocols.entra import JWT_BEARER_ASSERTION
from azure.identity._values.messages import IN_CHAIN, IN_DEFAULT_CHAIN, Response, Unreachable

SCOPE = "https://vault.azure.net/.default"
PIPELINES, GITHUB = "AzurePipelinesCredential", "GitHubActionsCredential"
URI = "https://dev.azure.com/org/_apis/oidctoken"
GITHUB_URI = "https://pipelines.actions.githubusercontent.com/x?api-version=2.0"
AGENTS = (PIPELINES, GITHUB)
MEMBER = {PIPELINES: "oidcToken", GITHUB: "value"}
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
each_agent = pytest.mark.parametrize("agent", AGENTS)


@pytest.fixture
def on_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of both kinds of agents."""
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", URI)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", GITHUB_URI)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", planted("request-token"))


def made(face: Face, agent: str, **options: Any) -> Any:
    given: dict[str, Any] = {"tenant_id": "tid", "client_id": "cid"}
    if agent == PIPELINES:
        given.update(service_connection_id="a b&c=d", system_access_token=planted("system-token"))
    return face.make(agent, **{**given, **options})


def oidc(agent: str, name: str = "oidc") -> Response:
    return reply(200, {MEMBER[agent]: planted(name)})


def failure(face: Face, credential: Any, io: ScriptedIO, **asked: Any) -> Any:
    with pytest.raises(ClientAuthenticationError) as caught:
        face.ask(credential, io, SCOPE, **asked)
    return caught.value


# --- the exchange


@each_face
def test_what_azure_pipelines_sends(on_agents: None, face: Face) -> None:
    """One POST to Azure DevOps, one to Microsoft Entra ID with what it gave."""
    io = ScriptedIO(oidc(PIPELINES), token("T1"))

    assert face.ask(made(face, PIPELINES), io, SCOPE).token == "T1"

    first, second = io.requests
    assert (first.method, first.url) == ("POST", f"{URI}?api-version=7.1&serviceConnectionId=a+b%26c%3Dd")
    assert first.headers["Authorization"] == f"Bearer {planted('system-token')}"
    assert second.url == "https://login.microsoftonline.com/tid/oauth2/v2.0/token"
    assert second.form == {
        "grant_type": "client_credentials",
        "client_id": "cid",
        "scope": SCOPE,
        "client_assertion_type": JWT_BEARER_ASSERTION,
        "client_assertion": planted("oidc"),
    }
    io.finished()


@each_face
@pytest.mark.parametrize(
    ("options", "audience"),
    [({}, "api://AzureADTokenExchange"), ({"audience": "other"}, "other")],
    ids=["default", "given"],
)
def test_what_github_actions_sends(on_agents: None, face: Face, options: Any, audience: str) -> None:
    """One GET for a token of the application's audience, then the same exchange."""
    io = ScriptedIO(oidc(GITHUB), token("T1"))

    assert face.ask(made(face, GITHUB, **options), io, SCOPE).token == "T1"

    assert io.requests[0].method == "GET"
    assert io.requests[0].url.startswith(GITHUB_URI + "&audience=")
    assert audience in io.requests[0].url.replace("%3A", ":").replace("%2F", "/")
    assert io.requests[0].headers["Authorization"] == f"Bearer {planted('request-token')}"
    assert io.forms[0]["client_assertion"] == planted("oidc")
    io.finished()


@each_face
@each_agent
def test_each_exchange_begins_with_a_new_oidc_token(on_agents: None, face: Face, agent: str) -> None:
    """They live for minutes. The access token is kept meanwhile."""
    io = ScriptedIO(oidc(agent, "one"), token("T1"), oidc(agent, "two"), token("T2"), oidc(agent, "three"), token("T3"))
    credential = made(face, agent)

    assert [face.ask(credential, io, SCOPE).token for _ in range(3)] == ["T1"] * 3
    assert face.ask(credential, io, SCOPE, claims='{"access_token":{}}').token == "T2"
    io.advance(3590)
    assert face.ask(credential, io, SCOPE).token == "T3"
    assert [form["client_assertion"] for form in io.forms] == [planted(name) for name in ("one", "two", "three")]
    io.finished()


@each_face
@each_agent
def test_authority_tenants_and_challenges_work_as_for_any_service_principal(
    on_agents: None, face: Face, agent: str
) -> None:
    io = ScriptedIO(oidc(agent), token())
    credential = made(face, agent, authority="login.microsoftonline.us", additionally_allowed_tenants=["other"])

    face.ask(credential, io, SCOPE, tenant="other", cae=True)

    assert io.requests[1].url == "https://login.microsoftonline.us/other/oauth2/v2.0/token"
    assert "CP1" in io.forms[0]["claims"]
    assert "not configured to acquire tokens for tenant x" in str(failure(face, credential, ScriptedIO(), tenant="x"))


# --- where it works


@each_face
@pytest.mark.parametrize("context", ["alone", IN_CHAIN, IN_DEFAULT_CHAIN])
@pytest.mark.parametrize(
    ("agent", "variables", "words"),
    [
        (
            PIPELINES,
            {"SYSTEM_OIDCREQUESTURI": None},
            "SYSTEM_OIDCREQUESTURI is not set. This credential works in Azure",
        ),
        (PIPELINES, {"SYSTEM_OIDCREQUESTURI": " "}, "SYSTEM_OIDCREQUESTURI is not set."),
        (PIPELINES, {"SYSTEM_OIDCREQUESTURI": "http://evil.example/x"}, "SYSTEM_OIDCREQUESTURI is not an https URL."),
        (PIPELINES, {"SYSTEM_OIDCREQUESTURI": "https://[::1"}, "SYSTEM_OIDCREQUESTURI is not a URL."),
        (GITHUB, {"ACTIONS_ID_TOKEN_REQUEST_URL": None}, "ACTIONS_ID_TOKEN_REQUEST_URL is not set."),
        (GITHUB, {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""}, "ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set."),
    ],
)
def test_outside_a_job_a_chain_goes_on(
    monkeypatch: pytest.MonkeyPatch, on_agents: None, face: Face, agent: str, variables: Any, words: str, context: str
) -> None:
    """The variable is named, and nothing is sent."""
    for name, value in variables.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    io = ScriptedIO()

    raised = failure(face, made(face, agent), io, context=context)

    assert isinstance(raised, CredentialUnavailableError)
    assert f"{agent}: the environment variable {words}" in str(raised)
    io.finished()


@pytest.mark.parametrize("name", ["tenant_id", "client_id", "service_connection_id", "system_access_token"])
@pytest.mark.parametrize("value", [None, ""])
@each_face
def test_every_argument_of_azure_pipelines_must_be_there(face: Face, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{PIPELINES} requires non-empty values for: {name}"):
        made(face, PIPELINES, **{name: value})


@each_face
def test_github_actions_finds_tenant_and_client_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, on_agents: None, face: Face
) -> None:
    """As azure/login leaves them. Otherwise both are missed at once."""
    with pytest.raises(
        ValueError, match=r"requires tenant_id \(or AZURE_TENANT_ID\) and client_id \(or AZURE_CLIENT_ID\)"
    ):
        face.make(GITHUB)
    monkeypatch.setenv("AZURE_TENANT_ID", "tid")
    monkeypatch.setenv("AZURE_CLIENT_ID", "cid")
    io = ScriptedIO(oidc(GITHUB), token())

    face.ask(face.make(GITHUB), io, SCOPE)

    assert io.forms[0]["client_id"] == "cid"


@each_agent
@each_face
def test_a_malformed_tenant_is_refused_at_once(face: Face, agent: str) -> None:
    with pytest.raises(ValueError, match="tenant_id is invalid"):
        made(face, agent, tenant_id="a b")


# --- what goes wrong

SIGN_IN_PAGE = Response(
    200, {"content-type": "text/html; charset=utf-8"}, b"<html>Azure DevOps Services | Sign In</html>"
)


@each_face
@each_agent
@pytest.mark.parametrize("context", ["alone", IN_CHAIN])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (SIGN_IN_PAGE, "HTTP 200 (text/html): <html>Azure DevOps Services | Sign In</html>."),
        (reply(401, {"message": "no"}), 'HTTP 401 (application/json): {"message": "no"}.'),
        (Response(302, {"location": "https://signin.example"}), "HTTP 302 (no content type)."),
        (Response(204), "HTTP 204 (no content type)."),
        (reply(200, {"count": 1, "value": ""}), "OIDC token not found in response: it has no '"),
        (reply(200, []), "HTTP 200 (application/json): []."),
    ],
    ids=["a sign-in page", "401", "a redirect", "no content", "no token", "a list"],
)
def test_an_agent_that_gives_no_token(
    on_agents: None, face: Face, agent: str, answer: Response, words: str, context: str
) -> None:
    """A chain stops: the program runs where it was meant to. What the agent said is shown, and what to look at."""
    io = ScriptedIO(answer._replace(raw="the response"))

    raised = failure(face, made(face, agent), io, context=context)

    assert not isinstance(raised, CredentialUnavailableError)
    assert words in str(raised)
    assert ("System.AccessToken" if agent == PIPELINES else "permissions: id-token: write") in str(raised)
    assert f"Help: docs/troubleshooting.md#{'azure-pipelines' if agent == PIPELINES else 'github-actions'}" in str(
        raised
    )
    assert raised.response == "the response"
    io.finished()


@each_face
@each_agent
def test_an_agent_that_cannot_be_reached(on_agents: None, face: Face, agent: str) -> None:
    """The message is about the agent's endpoint, not about the authority. (It was at first.)"""
    raised = failure(face, made(face, agent), ScriptedIO(Unreachable("https://agent.example/x?secret=1", "refused")))

    assert not isinstance(raised, CredentialUnavailableError)
    assert "https://agent.example/x, cannot be reached: refused." in str(raised)
    assert "AZURE_AUTHORITY_HOST" not in str(raised)


def jwt(**claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part(claims)}.{'s' * 40}"


@each_face
@each_agent
def test_a_refusal_says_what_the_oidc_token_was_for(on_agents: None, face: Face, agent: str) -> None:
    """Issuer, subject and audience, which must be those of a federated credential; never the token."""
    given = jwt(iss="https://issuer.example", sub="sc://org/project/connection", aud="api://x", exp=NOW + 300)
    io = ScriptedIO(reply(200, {MEMBER[agent]: given}), refusal("invalid_client", "AADSTS700213: No match."))

    raised = failure(face, made(face, agent), io)

    assert "AADSTS700213" in str(raised)
    assert f"The OIDC token of {'Azure Pipelines' if agent == PIPELINES else 'GitHub Actions'} has " in str(raised)
    for fact in ("https://issuer.example", "sc://org/project/connection", "api://x"):
        assert fact in str(raised)
    io.finished()


@each_face
@each_agent
def test_what_an_endpoint_sends_back_shows_no_secret(on_agents: None, face: Face, agent: str) -> None:
    """(The check for planted secrets reads what is raised and logged.)"""
    echo = f"You sent Bearer {planted('system-token')} {planted('request-token')}".encode()
    answer = Response(403, {"content-type": "text/plain"}, echo)
    secret = planted("system-token") if agent == PIPELINES else planted("request-token")
    answer = answer._replace(body=f"You sent Bearer {secret}".encode())

    assert "You sent Bearer ***" in str(failure(face, made(face, agent), ScriptedIO(answer)))
