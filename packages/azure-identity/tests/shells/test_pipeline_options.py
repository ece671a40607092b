"""Every option of an azure-core pipeline that has an effect has it here, in both worlds.

A test says by `@honours(...)` which options it is about; the last test compares with the documented list.
"""

from __future__ import annotations

import contextlib
import datetime
import inspect
import logging
import re
import shutil
import ssl
import subprocess
import warnings
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, TypeVar

import credentials
import loopback
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.policies import (
    AsyncRetryPolicy,
    HeadersPolicy,
    HttpLoggingPolicy,
    RetryPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from leak_watch import MARK, planted
from loopback import SILENT, Proxy, Received, Server, reply
from urllib3.exceptions import InsecureRequestWarning
from worlds import World

from azure.identity._values.messages import Request, Response, Unreachable
from azure.identity._values.settings import PipelineOptions
from entra_emulator import EntraEmulator

NO_EFFECT = {"polling_interval", "api_version"}
"""Accepted as by every azure-core client; a credential has no use for them."""

_honoured: set[str] = set()
Test = TypeVar("Test", bound=Callable[..., Any])


def honours(*options: str) -> Callable[[Test], Test]:
    """This test is about these options."""
    _honoured.update(options)
    return lambda test: test


def send(world: World, url: str, own: Optional[dict[str, str]] = None, **options: Any) -> Response:
    """Send a form, with headers of its own, through a port with these options."""
    return world.run(world.port(**options).send(Request("POST", url, own or {}, {"a": "b"})))


def fails(world: World, url: str, **options: Any) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        send(world, url, **options)
    return caught.value


class Counter(SansIOHTTPPolicy):  # type: ignore[type-arg]
    """Counts requests, and marks each with a header."""

    def __init__(self, mark: str = "X-Counter") -> None:
        self.mark = mark
        self.count = 0

    def on_request(self, request: Any) -> None:
        self.count += 1
        request.http_request.headers[self.mark] = str(self.count)


def in_turn(*answers: Any) -> Callable[[Received], Any]:
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


# --- what a request carries


@honours("headers")
def test_headers_are_added(world: World) -> None:
    with Server(reply()) as server:
        send(world, server.url, headers={"X-A": "1"})
    assert server.requests[0].headers["x-a"] == "1"


@honours("user_agent", "user_agent_overwrite", "user_agent_use_env", "base_user_agent")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, r"azsdk-python-identity/\S+ Python/\S+ \(.+\) env/1"),
        ({"user_agent": "app/1"}, r"app/1 azsdk-python-identity/\S+ Python/\S+ \(.+\) env/1"),
        ({"user_agent": "app/1", "user_agent_overwrite": True, "user_agent_use_env": False}, "app/1 azsdk.*"),
        ({"user_agent_use_env": False}, r"azsdk-python-identity/\S+ Python/\S+ \(.+\)"),
        ({"base_user_agent": "other/2"}, "other/2 env/1"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_the_user_agent(world: World, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], expected: str) -> None:
    monkeypatch.setenv("AZURE_HTTP_USER_AGENT", "env/1")
    with Server(reply()) as server:
        world.run(world.port(**options).send(Request("GET", server.url)))
    assert re.fullmatch(expected, server.requests[0].headers["user-agent"])


@honours("request_id", "auto_request_id", "request_id_header_name")
@pytest.mark.parametrize(
    ("options", "header", "expected"),
    [
        ({}, "x-ms-client-request-id", "flow"),
        ({"request_id": "mine"}, "x-ms-client-request-id", "mine"),
        ({"request_id": None}, "x-ms-client-request-id", None),
        ({"auto_request_id": False}, "x-ms-client-request-id", None),
        ({"request_id_header_name": "x-id"}, "x-id", "flow"),
    ],
    ids=["default", "given", "none", "not made", "another header"],
)
def test_the_request_id(world: World, options: dict[str, Any], header: str, expected: Optional[str]) -> None:
    """Without a word from the user it is the correlation id of the flow: one id finds the request everywhere."""
    with Server(reply()) as server:
        world.run(world.port(**options).send(Request("GET", server.url, {"client-request-id": "flow"})))
    assert server.requests[0].headers.get(header) == expected


def test_a_request_without_correlation_id_still_gets_an_id(world: World) -> None:
    with Server(reply()) as server:
        world.run(world.port().send(Request("GET", server.url)))
    assert len(server.requests[0].headers["x-ms-client-request-id"]) == 36


# --- policies


@honours("policies")
def test_policies_replace_all_others(world: World) -> None:
    """No retry, no user agent of ours, no request id."""
    counter = Counter()
    with Server(reply(503)) as server:
        assert send(world, server.url, policies=[counter]).status == 503
    [request] = server.requests

    assert (counter.count, request.headers["x-counter"]) == (1, "1")
    assert "azsdk" not in request.headers.get("user-agent", "")
    assert "x-ms-client-request-id" not in request.headers


@honours("per_call_policies", "per_retry_policies")
@pytest.mark.parametrize("as_list", [False, True])
def test_added_policies_run_where_they_belong(world: World, pauses: list[float], as_list: bool) -> None:
    once, each = Counter(), Counter("X-Attempt")
    options: dict[str, Any] = {"per_call_policies": once, "per_retry_policies": each}
    if as_list:
        options = {name: [policy] for name, policy in options.items()}
    with Server(in_turn(reply(503), reply())) as server:
        send(world, server.url, **options)

    assert (once.count, each.count) == (1, 2)
    assert [request.headers["x-attempt"] for request in server.requests] == ["1", "2"]


def test_added_policies_join_replaced_ones(world: World, pauses: list[float]) -> None:
    """`policies` with a retry policy says where an attempt begins; without one, that is an error."""
    retry = RetryPolicy if world.name == "sync" else AsyncRetryPolicy
    each = Counter()
    with Server(in_turn(reply(503), reply())) as server:
        send(world, server.url, policies=[retry(), Counter("X-Other")], per_retry_policies=each)
        with pytest.raises(ValueError, match="per_retry_policies needs a retry policy"):
            send(world, server.url, policies=[Counter()], per_retry_policies=each)
    assert each.count == 2


@honours(
    "request_id_policy",
    "headers_policy",
    "user_agent_policy",
    "proxy_policy",
    "custom_hook_policy",
    "logging_policy",
    "http_logging_policy",
)
@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("request_id_policy", "x-ms-client-request-id"),
        ("headers_policy", "x-a"),
        ("user_agent_policy", "azsdk"),
        ("proxy_policy", None),
        ("custom_hook_policy", None),
        ("logging_policy", None),
        ("http_logging_policy", None),
    ],
)
def test_a_policy_can_be_replaced(
    world: World, name: str, absent: Optional[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The given one runs, and the default of its kind does not."""
    caplog.set_level(logging.INFO, logger="azure.core")
    hooked: list[Any] = []
    options: dict[str, Any] = {"headers": {"X-A": "1"}, "raw_request_hook": hooked.append}
    counter = options[name] = Counter()
    with Server(reply()) as server:
        send(world, server.url, **options)
    [request] = server.requests

    assert (counter.count, request.headers["x-counter"]) == (1, "1")
    if absent == "azsdk":
        assert "azsdk" not in request.headers.get("user-agent", "")
    elif absent is not None:
        assert absent not in request.headers
    assert bool(hooked) == (name != "custom_hook_policy")
    assert bool(caplog.records) == (name != "http_logging_policy")


@honours("retry_policy", "retry_policy_class")
@pytest.mark.parametrize("name", ["retry_policy", "retry_policy_class"])
def test_the_retry_policy_can_be_replaced(world: World, pauses: list[float], name: str) -> None:
    kind = RetryPolicy if world.name == "sync" else AsyncRetryPolicy
    given = kind(retry_total=1, retry_status=1) if name == "retry_policy" else lambda **options: kind(retry_status=1)
    with Server(reply(503)) as server:
        send(world, server.url, **{name: given})
    assert len(server.requests) == 2


@honours("authentication_policy")
def test_an_authentication_policy_is_added(world: World, pauses: list[float]) -> None:
    """To a gateway in between, say. It runs on every attempt, since what it adds may have expired."""
    counter = Counter("Authorization")
    with Server(in_turn(reply(503), reply())) as server:
        send(world, server.url, authentication_policy=counter)
    assert [request.headers["authorization"] for request in server.requests] == ["1", "2"]


@honours("raw_request_hook", "raw_response_hook")
def test_hooks_see_requests_and_responses(world: World) -> None:
    seen: list[Any] = []
    with Server(reply(418)) as server:
        send(
            world,
            server.url,
            raw_request_hook=lambda request: seen.append(request.http_request.method),
            raw_response_hook=lambda response: seen.append(response.http_response.status_code),
        )
    assert seen == ["POST", 418]


# --- redirects


@honours("permit_redirects", "redirect_max", "redirect_remove_headers")
@pytest.mark.parametrize(
    ("options", "statuses"),
    [({}, 307), ({"permit_redirects": False}, 307), ({"permit_redirects": True}, 200)],
    ids=["default", "off", "on"],
)
def test_redirects_are_followed_only_on_request(world: World, options: dict[str, Any], statuses: int) -> None:
    with Server(in_turn(reply(307, b"", {"Location": "/elsewhere"}), reply())) as server:
        response = send(world, server.url, {"X-Secret": "s"}, redirect_remove_headers=["X-Secret"], **options)
    assert response.status == statuses
    assert ["x-secret" in request.headers for request in server.requests] == [True, False][: len(server.requests)]


def test_redirects_end(world: World) -> None:
    with Server(reply(307, b"", {"Location": "/again"})) as server:
        with pytest.raises(Unreachable):
            send(world, server.url, permit_redirects=True, redirect_max=2, retry_total=0)
    assert len(server.requests) == 3


@honours("redirect_policy")
def test_a_redirect_policy_can_be_given(world: World) -> None:
    from azure.core.pipeline.policies import AsyncRedirectPolicy, RedirectPolicy

    policy = (RedirectPolicy if world.name == "sync" else AsyncRedirectPolicy)()
    with Server(in_turn(reply(307, b"", {"Location": "/elsewhere"}), reply())) as server:
        assert send(world, server.url, redirect_policy=policy).status == 200


# --- retries


def attempts(world: World, server: Any, **options: Any) -> int:
    """How many attempts one request makes."""
    counter = Counter()
    with contextlib.suppress(Unreachable):
        if isinstance(server, str):
            send(world, server, per_retry_policies=counter, **options)
        else:
            with server:
                send(world, server.url, per_retry_policies=counter, **options)
    return counter.count


@honours("retry_total", "retry_connect", "retry_read", "retry_status", "retry_on_status_codes")
@pytest.mark.parametrize(
    ("trouble", "options", "expected"),
    [
        ("status", {}, 4),
        ("status", {"retry_total": 0}, 1),
        ("status", {"retry_total": 1}, 2),
        ("status", {"retry_status": 2}, 3),
        ("status", {"retry_status": 7, "retry_total": 5}, 6),
        ("connect", {}, 4),
        ("connect", {"retry_connect": 1}, 2),
        ("read", {"read_timeout": 0.03}, 4),
        ("read", {"read_timeout": 0.03, "retry_read": 2}, 3),
        ("teapot", {}, 1),
        ("teapot", {"retry_on_status_codes": [418]}, 4),
    ],
)
def test_how_often_it_is_tried(
    world: World, pauses: list[float], trouble: str, options: dict[str, Any], expected: int
) -> None:
    server: Any = {
        "status": lambda: Server(reply(500)),
        "connect": loopback.refusing_url,
        "read": lambda: Server(SILENT),
        "teapot": lambda: Server(reply(418)),
    }[trouble]()

    assert attempts(world, server, **options) == expected


@honours("retry_backoff_factor", "retry_backoff_max", "retry_mode")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1.6, 3.2]),
        ({"retry_backoff_factor": 0.1}, [0.2, 0.4]),
        ({"retry_backoff_max": 2}, [1.6, 2]),
        ({"retry_mode": "fixed"}, [0.8, 0.8]),
        ({"retry_status": 9, "retry_backoff_factor": 4}, [8, 16, 30, 30, 30, 30, 30, 30]),
    ],
    ids=["default", "factor", "max", "fixed", "never longer than 30 s"],
)
def test_how_long_it_waits(world: World, pauses: list[float], options: dict[str, Any], expected: list[float]) -> None:
    attempts(world, Server(reply(500)), **options)

    assert pauses == expected


@honours("timeout")
def test_the_time_for_all_attempts(world: World) -> None:
    """`timeout` ends the series, whatever the number of attempts says."""
    with Server(SILENT) as server:
        error = fails(world, server.url, timeout=0.05, read_timeout=0.1, retry_backoff_factor=0)
    assert (error.kind, len(server.requests)) == ("timeout", 1)


# --- logging


@honours("logging_enable")
def test_the_network_trace_has_no_secrets(world: World, entra: EntraEmulator, caplog: pytest.LogCaptureFixture) -> None:
    """`logging_enable=True` shows method, URL, status, ids and harmless fields; the rest is replaced."""
    caplog.set_level(logging.DEBUG)
    credential = world.make(
        "ClientSecretCredential",
        entra.tenant.id,
        entra.app.client_id,
        planted("client-secret"),
        authority=entra.authority,
        logging_enable=True,
    )
    token = world.ask(credential.get_token, "https://vault.azure.net/.default").token
    request, response = [record.getMessage() for record in caplog.records if record.name == "azure.identity.http"]

    assert f"POST {entra.authority}/{entra.tenant.id}/oauth2/v2.0/token" in request
    assert f"client_id={entra.app.client_id}" in request
    assert "client_secret=REDACTED" in request
    assert "expires_in=" in response
    assert "access_token=REDACTED" in response
    assert token not in request + response
    assert MARK not in request + response


@pytest.mark.parametrize("options", [{}, {"logging_enable": False}])
def test_without_it_there_is_no_trace(world: World, caplog: pytest.LogCaptureFixture, options: dict[str, Any]) -> None:
    caplog.set_level(logging.DEBUG)
    with Server(reply()) as server:
        send(world, server.url, **options)
    assert [record.name for record in caplog.records if record.name == "azure.identity.http"] == []


@honours("logger", "http_logging_level")
def test_the_http_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It goes where and at the level it is told, with queries and unknown headers replaced."""
    caplog.set_level(logging.DEBUG, logger="mine")
    with Server(reply(headers={"X-Answer": planted("answer")})) as server:
        world.run(
            world.port(logger=logging.getLogger("mine"), http_logging_level=logging.DEBUG).send(
                Request("GET", f"{server.url}?code=of-a-sign-in", {"X-Own": planted("header")})
            )
        )
    records = [record for record in caplog.records if record.name == "mine"]
    text = "\n".join(record.getMessage() for record in records)

    # azure-core has known the level for some versions only.
    known = "http_logging_level" in inspect.signature(HttpLoggingPolicy).parameters
    assert {record.levelno for record in records} == {logging.DEBUG if known else logging.INFO}
    assert "code=REDACTED" in text
    assert "of-a-sign-in" not in text
    assert MARK not in text


@honours("network_span_namer", "tracing_attributes")
def test_tracing_spans(world: World) -> None:
    """With a tracing implementation, each attempt is a span with the name and attributes the user chose."""
    from azure.core.settings import settings

    spans: list[Any] = []

    class Span:
        """As little of azure-core's AbstractSpan as its policy uses."""

        def __init__(self, span: Any = None, name: Any = None, **kwargs: Any) -> None:
            self.name, self.attributes = name, {}
            spans.append(self)

        def add_attribute(self, name: str, value: Any) -> None:
            self.attributes[name] = value

        def start(self) -> None:
            pass

        def finish(self) -> None:
            pass

        def to_header(self) -> dict[str, str]:
            return {"traceparent": "00-1-2-01"}

        def set_http_attributes(self, request: Any, response: Any = None) -> None:
            pass

        @property
        def span_instance(self) -> Any:
            return self

        @classmethod
        def get_current_span(cls) -> Any:
            return None

        @classmethod
        def change_context(cls, span: Any) -> Any:
            return contextlib.nullcontext()

    settings.tracing_implementation.set_value(Span)
    try:
        with Server(reply()) as server:
            send(
                world,
                server.url,
                network_span_namer=lambda request: f"to {request.method}",
                tracing_attributes={"app": "mine"},
            )
    finally:
        settings.tracing_implementation.unset_value()

    assert [(span.name, span.attributes["app"]) for span in spans] == [("to POST", "mine")]
    assert server.requests[0].headers["traceparent"] == "00-1-2-01"


# --- connections


@honours("connection_timeout")
def test_time_to_connect(world: World) -> None:
    with loopback.unconnectable() as url:
        assert fails(world, url, connection_timeout=0.1, retry_total=0).reason == "connecting took too long"


@honours("read_timeout")
def test_time_to_read(world: World) -> None:
    with Server(SILENT) as server:
        assert fails(world, server.url, read_timeout=0.1, retry_total=0).reason == "the answer took too long"


@honours("connection_data_block_size")
def test_block_size(world: World) -> None:
    """Small blocks make no difference to what arrives."""
    body = bytes(range(256)) * 40
    with Server(reply(200, body)) as server:
        assert send(world, server.url, connection_data_block_size=7).body == body


@pytest.fixture
def secure(tmp_path: Path) -> Any:
    """A TLS server of an authority of its own, and the file that trusts it."""
    pem, path = loopback.new_authority(tmp_path)
    with Server(reply(), tls=loopback.server_context(pem, "127.0.0.1")) as server:
        yield server, path


@honours("connection_verify")
@pytest.mark.parametrize("how", ["path", "os.PathLike", "False", "folder"])
def test_whom_a_connection_trusts(world: World, secure: Any, how: str, tmp_path: Path) -> None:
    server, path = secure
    if how == "folder":
        folder = tmp_path / "authorities"
        folder.mkdir()
        name = _hashed_name(path)
        if name is None:
            pytest.skip("needs the openssl program to name the file")
        (folder / name).write_bytes(Path(path).read_bytes())
        verify: Any = str(folder)
    else:
        verify = {"path": path, "os.PathLike": Path(path), "False": False}[how]
    with _quiet_about_unverified():
        assert send(world, server.url, connection_verify=verify).status == 200
    assert fails(world, server.url, connection_verify=True).kind == "tls"


@honours("use_env_settings")
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_authorities_of_the_environment(
    world: World, secure: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Both worlds know all three variables, and neither does with use_env_settings=False."""
    server, path = secure
    monkeypatch.setenv(variable, path)

    assert send(world, server.url).status == 200
    if variable != "SSL_CERT_FILE":  # OpenSSL reads that one by itself
        assert fails(world, server.url, use_env_settings=False).kind == "tls"


@honours("connection_cert")
@pytest.mark.parametrize("how", ["one file", "two files"])
def test_a_client_certificate(world: World, tmp_path: Path, how: str) -> None:
    pem, authority = loopback.new_authority(tmp_path)
    context = loopback.server_context(pem, "127.0.0.1")
    file = tmp_path / "client.pem"
    file.write_bytes(_client_certificate())
    context.load_verify_locations(file)
    context.verify_mode = ssl.CERT_REQUIRED
    cert = str(file) if how == "one file" else (str(file), str(file))
    with Server(reply(), tls=context) as server:
        assert send(world, server.url, connection_verify=authority, connection_cert=cert).status == 200
        assert fails(world, server.url, connection_verify=authority, retry_total=0).kind in ("tls", "response")


@honours("proxies")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_given_proxy(world: World, secure: Any, scheme: str) -> None:
    server, path = secure
    with Server(reply()) as plain, Proxy() as proxy:
        url = plain.url if scheme == "http" else server.url
        options = {"proxies": {scheme: f"http://127.0.0.1:{proxy.port}"}, "connection_verify": path}

        assert send(world, url, **options).status == 200
    assert proxy.requests[0].method == ("CONNECT" if scheme == "https" else "POST")


@pytest.mark.parametrize("honoured", [True, False])
def test_a_proxy_of_the_environment(world: World, monkeypatch: pytest.MonkeyPatch, honoured: bool) -> None:
    with Server(reply()) as server, Proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert send(world, server.url, use_env_settings=honoured).status == 200

    assert (1, int(honoured)) == (len(server.requests), len(proxy.requests))


def test_hosts_the_environment_keeps_off_the_proxy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(reply()) as server, Proxy() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert send(world, server.url).status == 200

    assert (len(server.requests), len(proxy.requests)) == (1, 0)


@pytest.mark.parametrize("kept_off", ["127.0.0.0/8", "10.0.0.0/8"])
def test_networks_the_environment_keeps_off_the_proxy_for_everything(
    world: World, monkeypatch: pytest.MonkeyPatch, kept_off: str
) -> None:
    """ALL_PROXY, and networks in NO_PROXY: both worlds know them, though aiohttp does not."""
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Server(reply()) as server, Proxy() as proxy:
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", kept_off)
        assert send(world, server.url).status == 200

    assert len(proxy.requests) == (0 if kept_off == "127.0.0.0/8" else 1)


def test_a_given_proxy_comes_before_that_of_the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    with Server(reply()) as server, Proxy() as mine, Proxy() as other:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{other.port}")
        assert send(world, server.url, proxies={"http": f"http://127.0.0.1:{mine.port}"}).status == 200

    assert (len(mine.requests), len(other.requests)) == (1, 0)


def test_the_password_of_a_netrc_file_is_not_sent(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is for people's downloads. requests and aiohttp would look for one with each request, and send it along."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password a-password\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Server(reply()) as server:
        assert send(world, server.url).status == 200

    assert "authorization" not in server.requests[0].headers


@honours("transport")
def test_a_transport_of_the_users(world: World) -> None:
    """Every request goes through it."""
    transport = world.transport()
    sent: list[str] = []
    original = transport.send

    def send_and_note(request: Any, **options: Any) -> Any:
        sent.append(request.url)
        return original(request, **options)

    transport.send = send_and_note
    with Server(reply()) as server:
        send(world, server.url, transport=transport)
    assert sent == [server.url]


@honours("session", "session_owner")
@pytest.mark.parametrize("owned", [None, True, False])
def test_a_session_of_the_users(world: World, owned: Optional[bool]) -> None:
    """Its settings apply; closing the credential closes it, unless it is said to belong to somebody else."""
    session = world.session()
    session.headers["X-Session"] = "mine"
    closed: list[bool] = []
    if world.name == "sync":
        session.close = lambda: closed.append(True)
    options = {} if owned is None else {"session_owner": owned}
    with Server(reply()) as server:
        port = world.port(session=session, **options)
        world.run(port.send(Request("GET", server.url)))
        world.run(port.close())
    is_closed = bool(closed) if world.name == "sync" else session.closed
    if world.name == "async" and not session.closed:
        world.ask(session.close)

    assert server.requests[0].headers["x-session"] == "mine"
    assert is_closed == (owned is not False)


# --- through a credential


def test_a_credential_hands_its_options_on(world: World, entra: EntraEmulator, pauses: list[float]) -> None:
    """What is true of the port is true of a credential: it keeps its own options and passes the others."""
    counter = Counter()
    credential = world.make(
        "ClientSecretCredential",
        entra.tenant.id,
        entra.app.client_id,
        credentials.SECRET,
        authority=entra.authority,
        headers={"X-A": "1"},
        user_agent="app/1",
        per_retry_policies=[counter],
        retry_total=1,
        not_known_to_anybody=1,
    )
    entra.faults.add("token", times=1, status=429)
    world.ask(credential.get_token, "https://vault.azure.net/.default")
    headers = entra.requests.last("token").headers

    assert (headers["x-a"], counter.count) == ("1", 2)
    assert headers["user-agent"].startswith("app/1 azsdk-python-identity/")
    assert headers["x-ms-client-request-id"] == headers["client-request-id"]


def test_two_retries_are_three_attempts_and_an_error(world: World, entra: EntraEmulator, pauses: list[float]) -> None:
    entra.faults.add("token", status=500, body="down", content_type="text/plain")
    credential = world.make(
        "ClientSecretCredential",
        entra.tenant.id,
        entra.app.client_id,
        credentials.SECRET,
        authority=entra.authority,
        retry_total=2,
    )
    with pytest.raises(ClientAuthenticationError, match="HTTP 500"):
        world.ask(credential.get_token, "https://vault.azure.net/.default")
    assert entra.requests.count("token") == 3


@pytest.mark.parametrize("kind", [HeadersPolicy, UserAgentPolicy])
def test_one_policy_object_serves_two_credentials(world: World, entra: EntraEmulator, kind: Any) -> None:
    """Policies that only look at a request may be shared."""
    shared = kind()
    shared_options = {"headers_policy" if kind is HeadersPolicy else "user_agent_policy": shared}
    for _ in range(2):
        credential = world.make(
            "ClientSecretCredential",
            entra.tenant.id,
            entra.app.client_id,
            credentials.SECRET,
            authority=entra.authority,
            **shared_options,
        )
        world.ask(credential.get_token, "https://vault.azure.net/.default")
    assert entra.requests.count("token") == 2


def test_every_documented_option_is_honoured() -> None:
    """An option that is new in the list needs a test here that shows its effect."""
    assert set(PipelineOptions.__annotations__) - _honoured == NO_EFFECT
    assert _honoured <= set(PipelineOptions.__annotations__)


# --- tools of these tests


def _client_certificate() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a client")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + made.public_bytes(serialization.Encoding.PEM)


def _hashed_name(path: str) -> Optional[str]:
    """What OpenSSL calls the file of an authority in a folder of authorities."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    done = subprocess.run([openssl, "x509", "-noout", "-subject_hash", "-in", path], capture_output=True, check=True)
    return done.stdout.decode().strip() + ".0"


@contextlib.contextmanager
def _quiet_about_unverified() -> Iterator[None]:
    """urllib3 warns of requests that trust anybody, rightly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureRequestWarning)
        yield
