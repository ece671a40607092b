"""Things that went wrong once. Each test is named after what happened."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import Any, Callable
from unittest import mock

import certificates
import credentials
import pytest
from azure.core.credentials import AccessToken
from loopback import Server, reply
from worlds import World

import azure.identity
import azure.identity.aio
from azure.identity import CredentialUnavailableError
from azure.identity._cache.memory import TokenCache, TokenKey
from azure.identity._outside.http import pipes as _pipes
from azure.identity._outside.http import suspending_pool as _suspending_pool
from azure.identity._outside.http import trust as _trust
from azure.identity._outside.http.old_urllib3 import wrong_name
from azure.identity._protocols import assertions
from azure.identity._values.messages import Request, Token

KEY = TokenKey("cloud", "tenant", "client", "", ("scope",), False)


def ends_soon(work: Callable[[], Any]) -> bool:
    """Whether this ends by itself on a thread, and so waits for nobody."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(5)
    return not thread.is_alive()


# --- TLS


def test_aiohttp_before_3_9_2_took_ssl_true_for_no_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connector gets a context, or nothing at all, which means verification in every version."""
    import aiohttp

    given: list[dict[str, Any]] = []
    real = aiohttp.TCPConnector

    def connector(**options: Any) -> Any:
        given.append(options)
        return real(**options)

    monkeypatch.setattr(aiohttp, "TCPConnector", connector)

    async def send(url: str, **options: Any) -> None:
        port = azure.identity.aio.ClientSecretCredential("t", "c", "s", **options)._port
        await port.send(Request("GET", url))
        await port.close()

    with Server(reply()) as server:
        asyncio.run(send(server.url))
        asyncio.run(send(server.url, connection_verify=False))

    assert given[0] == {}
    assert not isinstance(given[1]["ssl"], bool)


def test_urllib3_switched_off_host_names_in_a_context_that_aiohttp_had_too(tmp_path: Any) -> None:
    """urllib3 compares names itself where it does so, and aiohttp never does: each has contexts of its own."""
    bundle = tmp_path / "authority.pem"
    bundle.write_bytes(certificates.usable_pem())
    options = {"connection_verify": str(bundle)}
    for_urllib3, for_aiohttp = (_trust.tls_context(options, None, user) for user in ("urllib3", "aiohttp"))
    for_urllib3.check_hostname = False

    assert for_aiohttp.check_hostname
    assert _trust.tls_context(options, None, "aiohttp") is for_aiohttp


@pytest.mark.parametrize(("name", "kind"), [("127.0.0.1", "IP address"), ("::1", "IP address"), ("a.test", "Hostname")])
def test_old_urllib3_says_in_words_of_its_own_that_a_certificate_is_for_another_host(name: str, kind: str) -> None:
    """Its first version compares names itself, and raises an error of its own."""
    error = type("CertificateError", (ValueError,), {"__module__": "urllib3.util.ssl_match_hostname"})
    said = wrong_name(error(f"hostname '{name}' doesn't match 'b.test'"))

    assert said == f"{kind} mismatch, certificate is not valid for '{name}'."
    assert wrong_name(ValueError("hostname 'a.test' doesn't match 'b.test'")) is None


# --- stand-ins that programs' tests use


def test_an_answer_that_has_only_a_text(world: World) -> None:
    """Many tests answer with a mock that has a status, headers and `text()`, as azure-core's first policies read it."""
    body = json.dumps({"access_token": "T1", "expires_in": 3600})
    answer = mock.Mock(status_code=200, headers={"content-type": "application/json"}, text=lambda encoding=None: body)

    def send(request: Any, **options: Any) -> Any:
        return answer

    async def suspend(request: Any, **options: Any) -> Any:
        return answer

    transport = mock.MagicMock(send=send if world.name == "sync" else suspend)
    transport.__aexit__ = mock.AsyncMock()
    credential = world.make(
        "ClientSecretCredential", credentials.TENANT, credentials.CLIENT, credentials.SECRET, transport=transport
    )

    assert world.ask(credential.get_token, "scope").token == "T1"


def test_an_error_raised_with_its_cause_lost_it() -> None:
    """azure-core's `error` keyword reaches `inner_exception`."""
    cause = ValueError("why")

    assert CredentialUnavailableError("message", error=cause).inner_exception is cause


@pytest.mark.parametrize("package", [azure.identity, azure.identity.aio], ids=["sync", "async"])
def test_errors_about_arguments_named_a_private_class(package: Any) -> None:
    """ "DefaultAzureFlow.__init__() takes 1 positional argument" means nothing to a user."""
    named = {
        name: getattr(package, name).__init__.__qualname__ for name in package.__all__ if name.endswith("Credential")
    }

    assert named == {name: f"{name}.__init__" for name in named}


@pytest.mark.parametrize(
    "options",
    [{"user_agent": "app\r\nX-Other: 1"}, {"headers": {"X-A": "1\n2"}}],
    ids=lambda options: next(iter(options)),
)
def test_a_line_break_in_a_header_failed_late_and_in_two_ways(world: World, options: Any) -> None:
    """Sync said that the server could not be reached, async raised an error of aiohttp's."""
    with pytest.raises(ValueError, match="must be one line of text"):
        world.make("ClientSecretCredential", credentials.TENANT, credentials.CLIENT, credentials.SECRET, **options)


# --- threads, forks and the garbage collector


def test_threads_with_event_loops_of_their_own_changed_a_table_while_it_was_walked() -> None:
    """ "dictionary changed size during iteration" reached callers of an async credential that threads share."""
    pipes = _suspending_pool.PipesByLoop()
    loop = asyncio.new_event_loop()
    with _pipes.lock():
        thread = threading.Thread(target=pipes.set, args=(mock.Mock(loop=loop),), daemon=True)
        thread.start()
        thread.join(0.1)
        waits = thread.is_alive()
    thread.join(5)
    loop.close()

    assert waits
    assert len(pipes._all()) == 1


def test_a_renewal_that_was_thrown_away_while_its_own_thread_held_the_cache() -> None:
    """The garbage collector may end a coroutine anywhere, so also below the lock that ending a renewal takes."""
    cache = TokenCache()
    entry = cache.put(KEY, Token("token", 2_000_000_000), 1_900_000_000)
    assert cache.claim_renewal(entry, 1_900_000_000)

    def collect() -> None:
        with cache._lock:
            cache.end_renewal(entry)

    assert ends_soon(collect)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_while_another_thread_looked_for_a_certificate() -> None:
    """The child must not wait for a thread that it does not have."""
    pem = certificates.usable_pem()
    assertions.load_certificate(pem)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with assertions._loaded_lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        free = assertions._loaded_lock.acquire(blocking=False)
        os._exit(0 if free else 1)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join(5)

    assert status == 0


@pytest.mark.parametrize("method", ["get_token_info", "get_token"])
def test_a_mock_credential_of_a_programs_own_tests(method: str) -> None:
    """`MagicMock()` has every attribute, none of them a time. Only the token and its expiry have to be real."""
    from unittest.mock import MagicMock

    import azure.identity

    token = MagicMock(token="made up", expires_on=9_999_999_999)
    double = MagicMock(**{f"{method}.return_value": token})
    if method == "get_token":
        del double.get_token_info

    assert azure.identity.get_bearer_token_provider(double, "scope/.default")() == "made up"
    assert azure.identity.ChainedTokenCredential(double).get_token_info("scope/.default").token in ("made up",)


def test_a_member_that_takes_scopes_only_answers_an_sdk_client() -> None:
    """`get_token(self, *scopes)` is all that many programs' own credentials have."""
    import azure.identity

    class Mine:
        def get_token(self, *scopes: str) -> AccessToken:
            return AccessToken("mine", 9_999_999_999)

    chain = azure.identity.ChainedTokenCredential(Mine())  # type: ignore[arg-type]

    assert azure.identity.get_bearer_token_provider(chain, "scope/.default")() == "mine"
    assert chain.get_token("scope/.default").token == chain.get_token_info("scope/.default").token == "mine"


@pytest.mark.parametrize("expires_on", [float("inf"), float("nan"), None, "soon", "9999999999"])
def test_a_token_that_does_not_say_when_it_expires_is_handed_through(expires_on: Any) -> None:
    """Static credentials of programs say "never"; that ended the chain."""

    class Static:
        def get_token(self, *scopes: str) -> AccessToken:
            return AccessToken("mine", expires_on)

    chain = azure.identity.ChainedTokenCredential(Static())

    assert chain.get_token("scope/.default").token == "mine"
    assert azure.identity.get_bearer_token_provider(Static(), "scope/.default")() == "mine"


@pytest.mark.parametrize("method", ["get_token", "get_token_info"])
def test_a_members_own_token_object_is_handed_through(world: World, method: str) -> None:
    """Subclasses and attributes included, also one that does not say when it expires."""

    class Answer:
        token, expires_on, extra = "mine", None, "kept"

    answer = Answer()

    class Sync:
        def get_token(self, *scopes: str, **kwargs: Any) -> Any:
            return answer

        def get_token_info(self, *scopes: str, options: Any = None) -> Any:
            return answer

    class Suspending:
        async def get_token(self, *scopes: str, **kwargs: Any) -> Any:
            return answer

        async def get_token_info(self, *scopes: str, options: Any = None) -> Any:
            return answer

    member = Sync() if world.package is azure.identity else Suspending()
    chain = world.make("ChainedTokenCredential", member)

    assert world.ask(getattr(chain, method), "scope/.default") is answer


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_a_fork_while_the_locks_of_http_are_held() -> None:
    """The thread that held them does not exist in the child, and no pipe of the parent's event loop serves there."""
    import subprocess
    import sys
    import textwrap

    program = """
    import asyncio, os, sys
    from azure.identity._outside.http import pipes, suspending_pool, trust

    loop = asyncio.new_event_loop()
    suspending_pool._async_pipes.setdefault(loop, {})["key"] = "the parent's"
    trust._contexts_lock.acquire()
    pipes.lock().acquire()
    child = os.fork()
    if not child:
        import faulthandler
        faulthandler.dump_traceback_later(20, exit=True)
        trust.tls_context({"connection_verify": False}, None, "urllib3")
        import threading
        free = []
        thread = threading.Thread(target=lambda: free.append(pipes.lock().acquire(timeout=5)))
        thread.start()
        thread.join()
        os._exit(0 if free == [True] and not suspending_pool._async_pipes else 3)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
