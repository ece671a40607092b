"""Azure Pipelines and GitHub Actions from end to end: a local endpoint hands out OIDC tokens the emulator trusts."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError
from leak_watch import planted
from loopback import Received, Server, eventually, reply
from worlds import World

from azure.identity import CredentialUnavailableError
from entra_emulator import EntraEmulator

PIPELINES, GITHUB = "AzurePipelinesCredential", "GitHubActionsCredential"
each_agent = pytest.mark.parametrize("agent", [PIPELINES, GITHUB])


class Agent:
    """A build agent's endpoint for OIDC tokens."""

    def __init__(self, entra: EntraEmulator) -> None:
        self.entra = entra
        self.subject: dict[str, Any] = {}
        self.answers: list[bytes] = []
        """What to answer first, instead of a token."""
        self.gate = threading.Event()
        self.gate.set()
        self.server = Server(self._answer)

    @property
    def url(self) -> str:
        return self.server.url

    def _answer(self, request: Received) -> bytes:
        self.gate.wait(20)
        if self.answers:
            return self.answers.pop(0)
        name = "value" if request.method == "GET" else "oidcToken"
        return reply(200, json.dumps({name: self.entra.federated_token(**self.subject)}).encode())

    @property
    def asked(self) -> list[Received]:
        return self.server.requests


@pytest.fixture
def job(entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    """A job that runs on both kinds of agents."""
    agent = Agent(entra)
    with agent.server:
        monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", agent.url)
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", agent.url + "?api-version=2.0")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", planted("request-token"))
        yield agent
        agent.gate.set()


def arguments(agent: str, entra: EntraEmulator, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "tenant_id": entra.tenant.id,
        "client_id": entra.app.client_id,
        "authority": entra.authority,
    }
    if agent == PIPELINES:
        given.update(service_connection_id="my connection", system_access_token=planted("system-token"))
    return {**given, **options}


def failure(world: World, credential: Any, *scopes: str) -> Any:
    with pytest.raises(ClientAuthenticationError) as caught:
        world.ask(credential.get_token, *scopes)
    return caught.value


@each_agent
def test_a_job_gets_a_token(world: World, job: Agent, entra: EntraEmulator, agent: str) -> None:
    """One request to the agent, one to Microsoft Entra ID; the token is kept."""
    credential = world.make(agent, **arguments(agent, entra))

    tokens = {world.ask(credential.get_token, entra.resource_scope).token for _ in range(3)}

    assert len(tokens) == 1
    [asked] = job.asked
    query = parse_qs(urlsplit(asked.target).query)
    if agent == PIPELINES:
        assert (asked.method, asked.body, asked.headers["content-length"]) == ("POST", b"", "0")
        assert query == {"api-version": ["7.1"], "serviceConnectionId": ["my connection"]}
        assert asked.headers["authorization"] == f"Bearer {planted('system-token')}"
        assert asked.headers["x-tfs-fedauthredirect"] == "Suppress"
    else:
        assert asked.method == "GET"
        assert query == {"api-version": ["2.0"], "audience": ["api://AzureADTokenExchange"]}
        assert asked.headers["authorization"] == f"Bearer {planted('request-token')}"
    assert entra.requests.count("token") == 1
    assert planted("system-token") not in " ".join(dict(entra.requests.last("token").form).values())


@each_agent
def test_each_exchange_asks_the_agent_anew(
    world: World, job: Agent, entra: EntraEmulator, agent: str, clock: Any
) -> None:
    """OIDC tokens live for minutes, access tokens for an hour: a first one would be stale by then."""
    job.subject = {"lifetime": 300}
    credential = world.make(agent, **arguments(agent, entra))

    for seconds in (0, 3500, 3500):
        clock.advance(seconds)
        world.ask(credential.get_token, entra.resource_scope)

    assertions = [request.form["client_assertion"] for request in entra.requests.to("token")]
    assert len(set(assertions)) == len(job.asked) == 3


@each_agent
def test_a_federated_credential_that_does_not_match(world: World, job: Agent, entra: EntraEmulator, agent: str) -> None:
    """The message has what the token says of itself, to compare."""
    job.subject = {"subject": "repo:contoso/app:ref:refs/heads/other"}

    raised = failure(world, world.make(agent, **arguments(agent, entra)), entra.resource_scope)

    assert 700213 in raised.error_codes
    assert "repo:contoso/app:ref:refs/heads/other" in str(raised)
    assert "Help: docs/troubleshooting.md#federated-credential" in str(raised)


@each_agent
def test_an_agent_in_trouble_is_asked_again(
    world: World, job: Agent, entra: EntraEmulator, agent: str, pauses: list[float]
) -> None:
    """By the ordinary retry policy, POST included."""
    job.answers = [reply(503, b""), reply(503, b"")]
    credential = world.make(agent, **arguments(agent, entra))

    assert world.ask(credential.get_token, entra.resource_scope).token
    assert len(job.asked) == 3


@each_agent
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            reply(200, b"<html>Azure DevOps | Sign In</html>", {"Content-Type": "text/html; charset=utf-8"}),
            "HTTP 200 (text/html): <html>Azure DevOps | Sign In</html>.",
        ),
        (reply(302, b"", {"Location": "https://signin.example/"}), "HTTP 302"),
        (reply(401, b'{"message": "no"}'), 'HTTP 401 (application/json): {"message": "no"}.'),
        (reply(200, b"{}"), "OIDC token not found in response"),
    ],
    ids=["a sign-in page", "a redirect", "401", "no token"],
)
def test_an_agent_that_gives_no_token(
    world: World, job: Agent, entra: EntraEmulator, agent: str, answer: bytes, words: str
) -> None:
    """What it said is shown; a redirect is not followed, and Microsoft Entra ID is not asked."""
    job.answers = [answer]

    raised = failure(world, world.make(agent, **arguments(agent, entra)), entra.resource_scope)

    assert words in str(raised)
    assert not isinstance(raised, CredentialUnavailableError)
    assert (len(job.asked), entra.requests.count("token")) == (1, 0)


@each_agent
def test_outside_a_job_the_next_credential_is_used(world: World, entra: EntraEmulator, agent: str) -> None:
    """In a chain."""
    chain = world.make(
        "ChainedTokenCredential",
        world.make(agent, **arguments(agent, entra)),
        world.make(
            "ClientSecretCredential", entra.tenant.id, entra.app.client_id, entra.app.secret, authority=entra.authority
        ),
    )

    assert world.ask(chain.get_token, entra.resource_scope).token
    assert type(chain.selected_credential).__name__ == "ClientSecretCredential"


@each_agent
async def test_the_event_loop_goes_on_while_the_agent_thinks(job: Agent, entra: EntraEmulator, agent: str) -> None:
    """It is the loop that lets the agent answer. (In the published package's async class it could not.)"""
    from azure.identity import aio

    job.gate.clear()
    async with getattr(aio, agent)(**arguments(agent, entra, connection_verify=entra.ca_file)) as credential:
        task = asyncio.ensure_future(credential.get_token(entra.resource_scope))
        while not job.asked:
            await asyncio.sleep(0.01)
        job.gate.set()

        assert (await asyncio.wait_for(task, 20)).token


@each_agent
def test_many_callers_ask_the_agent_once(job: Agent, entra: EntraEmulator, agent: str) -> None:
    """Together."""
    from concurrent.futures import ThreadPoolExecutor

    import azure.identity

    job.gate.clear()
    with getattr(azure.identity, agent)(**arguments(agent, entra)) as credential, ThreadPoolExecutor(20) as pool:
        started = [pool.submit(credential.get_token, entra.resource_scope) for _ in range(20)]
        assert eventually(lambda: job.asked)
        job.gate.set()
        tokens = {future.result(20).token for future in started}

    assert (len(tokens), len(job.asked), entra.requests.count("token")) == (1, 1, 1)
