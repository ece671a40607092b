"""The server a sign-in comes back to, and the browser: real sockets, threads and programs."""

from __future__ import annotations

import asyncio
import contextlib
import html.parser
import http.client
import shlex
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator, Optional
from urllib.parse import urlencode

import pytest
from loopback import eventually
from worlds import World

from azure.identity._outside import redirects as _redirects
from azure.identity._outside.flights import FlightTable
from azure.identity._outside.redirects import CannotListen, RedirectListener, no_browser_reason, open_browser, page
from azure.identity._outside.suspending import AsyncIO

STATE = "the-state"


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("azure-identity")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Of the listeners, their connections, or the browser."""
    yield
    assert eventually(lambda: not threads()), threads()


@pytest.fixture
def listener() -> Iterator[RedirectListener]:
    made = RedirectListener("localhost", 0, "/callback", STATE)
    yield made
    made.close()


class Answer:
    """What a browser got."""

    def __init__(self, status: int, headers: dict[str, str], text: str) -> None:
        self.status, self.headers, self.text = status, headers, text


def browse(
    listener: RedirectListener,
    path: str = "/callback",
    *,
    method: str = "POST",
    fields: Optional[dict[str, str]] = None,
    body: Optional[str] = None,
    headers: Optional[dict[str, str]] = None,
) -> Answer:
    """One request, as a browser would send it."""
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=10)
    try:
        text = urlencode(fields or {}) if body is None else body
        if method == "GET":
            connection.request("GET", f"{path}?{text}" if text else path, headers=headers or {})
        else:
            sent = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
            connection.request(method, path, text.encode(), sent)
        response = connection.getresponse()
        content = response.read().decode("utf-8")
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
    finally:
        connection.close()


def in_background(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(function, *args, **kwargs)
    pool.shutdown(wait=False)
    return future


def raw(listener: RedirectListener, data: bytes = b"") -> socket.socket:
    """A connection that has sent these bytes, and says no more."""
    connection = socket.create_connection(("127.0.0.1", listener.port), 10)
    connection.sendall(data)
    return connection


def nothing_came(listener: RedirectListener) -> bool:
    return listener.receive(0) is None


# --- the answer


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_answer_comes_as_a_form_or_as_a_query(listener: RedirectListener, method: str) -> None:
    """The browser waits until the credential knows how it ended."""
    browser = in_background(browse, listener, method=method, fields={"state": STATE, "code": "c o+d&é"})

    assert listener.receive(10) == {"state": STATE, "code": "c o+d&é"}
    assert not browser.done()
    listener.show(None)

    answer = browser.result(10)
    assert answer.status == 200
    assert "<h1>You are signed in</h1><p>You can close this page" in answer.text


def test_when_show_returns_the_browser_has_its_page(listener: RedirectListener) -> None:
    """The program may end at once, and its threads with it."""
    connection = raw(listener, f"GET /callback?state={STATE}&code=x HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    with connection:
        assert listener.receive(10) is not None
        listener.show(None)
        listener.close()

        connection.setblocking(False)
        received = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                more = connection.recv(65536)
                if not more:
                    break
                received += more
        assert b"<h1>You are signed in</h1>" in received


def test_a_failure_is_shown_as_one(listener: RedirectListener) -> None:
    """With its reason, which may have lines."""
    browser = in_background(browse, listener, fields={"state": STATE, "error": "access_denied"})
    assert listener.receive(10) == {"state": STATE, "error": "access_denied"}
    listener.show("Declined.\nNext.")

    answer = browser.result(10)
    assert answer.status == 400
    assert "<h1>Sign-in failed</h1>" in answer.text
    assert "<p>Declined.\nNext.</p>" in answer.text


def test_the_first_page_is_the_one_that_is_shown(listener: RedirectListener) -> None:
    browser = in_background(browse, listener, fields={"state": STATE})
    listener.receive(10)
    listener.show(None)
    listener.show("Two")
    listener.close()

    assert "<h1>You are signed in</h1>" in browser.result(10).text


def test_a_page_is_not_waited_for_when_nobody_waits(listener: RedirectListener) -> None:
    """Such as when no browser could be opened."""
    began = time.monotonic()
    listener.show("x")

    assert time.monotonic() - began < 1


def test_a_browser_that_is_gone_holds_up_nobody(listener: RedirectListener, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign-in counts all the same."""
    raw(listener, f"GET /callback?state={STATE}&code=x HTTP/1.1\r\n\r\n".encode()).close()

    assert listener.receive(10) == {"state": STATE, "code": "x"}
    listener.show(None)


def test_a_credential_that_takes_long_leaves_no_browser_waiting(
    listener: RedirectListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told to go back to the program."""
    monkeypatch.setattr(_redirects, "PAGE_TIMEOUT", 0.01)

    answer = browse(listener, fields={"state": STATE, "code": "x"})

    assert answer.status == 200
    assert "Sign-in received" in answer.text


# --- strangers


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", "/favicon.ico", {}),
        ("GET", "/", {"state": STATE, "code": "x"}),
        ("GET", "/callback/", {"state": STATE, "code": "x"}),
        ("GET", "/CALLBACK", {"state": STATE, "code": "x"}),
        ("GET", "/healthz", {}),
        ("GET", "/callback", {}),
        ("POST", "/callback", {"code": "x"}),
        ("POST", "/callback", {"state": "", "code": "x"}),
        ("POST", "/callback", {"state": "another", "code": "x"}),
        ("POST", "/callback", {"state": STATE + "x", "code": "x"}),
        ("POST", "/callback", {"State": STATE, "code": "x"}),
        ("POST", f"/callback?state={STATE}&code=x", {"code": "x"}),
        ("POST", "/callback", {f"f{i}": "x" for i in range(60)}),
    ],
)
def test_a_stranger_changes_nothing(listener: RedirectListener, method: str, path: str, fields: dict[str, str]) -> None:
    """Wrong path, wrong state, none. It gets a short answer at once, and the real one is still awaited."""
    assert browse(listener, path, method=method, fields=fields).status == 404
    assert nothing_came(listener)

    browser = in_background(browse, listener, fields={"state": STATE, "code": "real"})
    assert listener.receive(10) == {"state": STATE, "code": "real"}
    listener.show(None)
    assert browser.result(10).status == 200


def test_a_parameter_that_is_there_twice_makes_no_answer(listener: RedirectListener) -> None:
    """Which one would count? (RFC 6749, section 3.1)"""
    for body in (f"state=x&state={STATE}&code=c", f"state={STATE}&code=a&code=b"):
        assert browse(listener, body=body).status == 404
    assert nothing_came(listener)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "BREW"])
def test_other_methods_are_refused(listener: RedirectListener, method: str) -> None:
    assert browse(listener, method=method, fields={"state": STATE, "code": "x"}).status == 501
    assert nothing_came(listener)


@pytest.mark.parametrize("length", ["65537", "999999999", "99999999999999999999999", "-1", "x", ""])
def test_a_huge_body_is_not_read(listener: RedirectListener, length: str) -> None:
    """Nor one whose length is not a number."""
    with raw(listener, f"POST /callback HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode()) as connection:
        assert b" 413 " in connection.recv(100)
    assert nothing_came(listener)


def test_a_body_without_a_length_is_not_read(listener: RedirectListener) -> None:
    with raw(listener, b"POST /callback HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n") as connection:
        assert b" 413 " in connection.recv(100)


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x00\xee", b"\xff" * 70_000 + b"\r\n", b"GET\r\n\r\n", b"\r\n\r\n"])
def test_what_is_no_http_changes_nothing(listener: RedirectListener, data: bytes) -> None:
    """TLS, noise."""
    with contextlib.suppress(OSError), raw(listener, data) as connection:
        connection.shutdown(socket.SHUT_WR)
        connection.recv(100)
    assert nothing_came(listener)
    assert browse(listener, "/x", method="GET").status == 404


def test_a_target_that_is_no_url_is_a_strangers(listener: RedirectListener) -> None:
    with raw(listener, f"GET http://[?state={STATE} HTTP/1.1\r\n\r\n".encode()) as connection:
        assert b" 404 " in connection.recv(100)
    assert nothing_came(listener)


def test_silent_connections_hold_up_nobody(listener: RedirectListener) -> None:
    """Browsers open some in advance. However many there are, the real one gets through."""
    silent = [raw(listener) for _ in range(_redirects.CONNECTION_LIMIT + 10)]
    slow = raw(listener, b"POST /callback HTTP/1.1\r\nContent-Length: 100\r\n\r\nsta")
    browser = in_background(browse, listener, fields={"state": STATE, "code": "real"})

    assert listener.receive(10) == {"state": STATE, "code": "real"}
    listener.show(None)
    assert browser.result(10).status == 200

    listener.close()
    assert eventually(lambda: not threads())
    for connection in (*silent, slow):
        connection.close()


def test_a_connection_may_be_silent_for_a_while_only(
    listener: RedirectListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is closed from this side."""
    monkeypatch.setattr(_redirects, "CONNECTION_TIMEOUT", 0.05)
    monkeypatch.setattr(_redirects._Connection, "timeout", 0.05)
    with raw(listener) as connection:
        connection.settimeout(10)
        assert connection.recv(100) == b""


def test_of_two_answers_one_counts(listener: RedirectListener) -> None:
    """The other, a reload say, is a stranger."""
    fields = {"state": STATE, "code": "x"}
    with ThreadPoolExecutor(8) as pool:
        browsers = [pool.submit(browse, listener, fields=fields) for _ in range(8)]
        assert listener.receive(10) == fields
        listener.show(None)
        statuses = sorted(browser.result(10).status for browser in browsers)

    assert statuses == [200] + [404] * 7
    assert nothing_came(listener)


# --- the wait


@pytest.mark.parametrize("slice_of", [1.0, 0.02])
def test_the_timeout_is_for_the_whole_wait(
    listener: RedirectListener, monkeypatch: pytest.MonkeyPatch, slice_of: float
) -> None:
    """Strangers do not extend it."""
    monkeypatch.setattr(_redirects, "_SLICE", slice_of)
    done = threading.Event()

    def knock() -> None:
        while not done.is_set():
            browse(listener, "/favicon.ico", method="GET")

    knocking = in_background(knock)
    began = time.monotonic()
    assert listener.receive(0.2) is None
    assert 0.2 <= time.monotonic() - began < 5
    done.set()
    knocking.result(10)


def test_closing_ends_the_wait(listener: RedirectListener) -> None:
    """From another thread."""
    waiting = in_background(listener.receive, 60)
    listener.close()

    assert waiting.result(10) is None


def test_closing_tells_a_browser_that_waits(listener: RedirectListener) -> None:
    browser = in_background(browse, listener, fields={"state": STATE, "code": "x"})
    listener.receive(10)
    listener.close()

    answer = browser.result(10)
    assert (answer.status, "Sign-in ended" in answer.text) == (400, True)


def test_closing_twice_is_harmless_and_the_port_is_free_at_once() -> None:
    """The next sign-in may want the same."""
    first = RedirectListener("localhost", 0, "", STATE)
    for _ in range(20):
        first.close()
        first.close()
        first = RedirectListener("localhost", first.port, "", STATE)
    first.close()

    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", first.port), 1)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="sees open files in /proc")
def test_no_socket_is_left() -> None:
    """Of many sign-ins, with connections in every state."""

    def open_files() -> list[str]:
        found = []
        for path in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(str(path.readlink()))
        return sorted(name for name in found if name.startswith(("socket:", "anon_inode:")))

    before = open_files()
    for _ in range(10):
        one = RedirectListener("localhost", 0, "", STATE)
        idle = raw(one)
        browser = in_background(browse, one, "/", fields={"state": STATE})
        one.receive(10)
        one.show(None)
        browser.result(10)
        one.close()
        idle.close()
    assert eventually(lambda: set(open_files()) <= set(before) and len(open_files()) <= len(before)), open_files()


def test_it_listens_on_this_machine_only(listener: RedirectListener) -> None:
    """Whatever other addresses the machine has."""
    assert listener._socket.getsockname() == ("127.0.0.1", listener.port)


def test_a_port_that_is_taken() -> None:
    """Says which, and why."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"cannot listen on localhost:{port}: .*in use"):
            RedirectListener("localhost", port, "", STATE)


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_an_ipv6_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the redirect URI names it."""
    try:
        listener = RedirectListener("::1", 0, "", STATE)
    except CannotListen:
        pytest.skip("this machine has no IPv6 loopback")
    with contextlib.closing(socket.create_connection(("::1", listener.port), 5)) as connection:
        connection.sendall(f"GET /?state={STATE} HTTP/1.1\r\n\r\n".encode())
        assert listener.receive(10) == {"state": STATE}
        listener.show(None)
        assert b"200" in connection.recv(100)
    listener.close()


# --- pages


class Parsed(html.parser.HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, Optional[str]] = {}
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        self.tags.append(tag)
        self.attributes.update({f"{tag}.{name}": value for name, value in attrs})

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("success", [True, False])
def test_a_page(success: bool) -> None:
    """A title, one heading, a language, no script, nothing loaded from elsewhere."""
    content = page("A title", "A text.", "Details.", success=success).decode()
    parsed = Parsed(content)

    assert parsed.tags.count("h1") == 1
    assert parsed.attributes["html.lang"] == "en"
    assert set(parsed.tags) == {"html", "head", "meta", "title", "style", "body", "main", "h1", "p"}
    assert "http" not in content
    assert "{" not in content.partition("</style>")[2]
    assert ('content: "\\2713"' in content) is success


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "</title><img src=x onerror=y>", "{color}", "a & b \"'", "\udcff"]
)
def test_no_text_becomes_part_of_the_page(text: str) -> None:
    """It is shown as it is."""
    content = page(text, text, text, success=False).decode()
    parsed = Parsed(content)

    assert not {"script", "img"} & set(parsed.tags)
    assert parsed.tags.count("main") == 1
    if text.isprintable():
        assert parsed.text.count(text) == 4


def test_headers_of_a_page(listener: RedirectListener) -> None:
    """Not kept, not sniffed, no scripts, no referrer with the code in it, and no word of Python."""
    headers = browse(listener, "/x", method="GET").headers

    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert headers["connection"] == "close"
    assert headers["server"].strip() == "azure-identity"


def test_nothing_is_logged(listener: RedirectListener, capfd: pytest.CaptureFixture[str]) -> None:
    """Request lines hold codes."""
    browse(listener, "/x", method="GET", fields={"code": "x"})
    browse(listener, method="BREW")

    assert capfd.readouterr() == ("", "")


# --- in both worlds


def test_a_port_receives_in_both_worlds(world: World) -> None:
    """What the browser brings, or None in time."""
    io = world.port()
    listener = world.run(io.listen("localhost", 0, "/callback", STATE))
    assert world.run(io.receive(listener, 0.01)) is None
    browser = in_background(browse, listener, fields={"state": STATE, "code": "x"})

    assert world.run(io.receive(listener, 10)) == {"state": STATE, "code": "x"}
    world.run(io.work(listener.show, None))
    assert browser.result(10).status == 200
    listener.close()


def test_waiting_leaves_the_event_loop_free() -> None:
    """Other tasks go on meanwhile."""

    async def main() -> None:
        io = AsyncIO({}, FlightTable())
        listener = await io.listen("localhost", 0, "", STATE)
        waiting = asyncio.ensure_future(io.receive(listener, 60))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not waiting.done()
        browser = in_background(browse, listener, "/", fields={"state": STATE})

        assert await waiting == {"state": STATE}
        await io.work(listener.show, None)
        listener.close()
        await asyncio.wrap_future(browser)

    asyncio.run(main())


def test_a_cancelled_wait_ends_at_once_and_closes() -> None:
    """The thread that waited ends too."""

    async def main() -> None:
        io = AsyncIO({}, FlightTable())
        listener = await io.listen("localhost", 0, "", STATE)
        waiting = asyncio.ensure_future(io.receive(listener, 60))
        await asyncio.sleep(0.01)
        waiting.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert time.monotonic() - began < 1
        assert not threads()

    asyncio.run(main())


def test_a_cancelled_sign_in_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a thread nor a port that is taken; and the next sign-in begins."""
    import webbrowser

    from azure.identity.aio import InteractiveBrowserCredential

    opened: list[str] = []
    monkeypatch.setenv("BROWSER", "a browser")
    monkeypatch.setattr(webbrowser, "open", lambda url, *_: opened.append(url) or True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    async def main() -> None:
        async with InteractiveBrowserCredential(
            tenant_id="tid", authority="http://localhost:9", redirect_uri=f"http://localhost:{port}"
        ) as credential:
            for times in (1, 2):
                task = asyncio.ensure_future(credential.get_token("s/.default"))
                while len(opened) < times:
                    await asyncio.sleep(0.001)
                assert "azure-identity-redirect" in threads()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert "azure-identity-redirect" not in threads()

    asyncio.run(main())
    socket.create_server(("127.0.0.1", port)).close()


def test_a_cancelled_wait_for_another_device_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asleep most of the time."""
    from azure.identity._values.messages import Response
    from azure.identity.aio import DeviceCodeCredential

    told: list[str] = []

    async def prompt(uri: str, code: str, expires_on: Any) -> None:
        told.append(code)

    async def send(self: Any, request: Any) -> Response:
        body = b'{"device_code": "D", "user_code": "U", "verification_uri": "https://microsoft.com/devicelogin"}'
        return Response(200, {"content-type": "application/json"}, body)

    async def main() -> None:
        monkeypatch.setattr(AsyncIO, "send", send)
        credential = DeviceCodeCredential(prompt_callback=prompt)
        task = asyncio.ensure_future(credential.get_token("s/.default"))
        while not told:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 2)
        assert len(credential._flights) == 0

    asyncio.run(main())


# --- the browser


@pytest.fixture
def browser_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Make BROWSER name a program; what it is called with goes to the file that is returned."""

    def make(body: str) -> Path:
        opened = tmp_path / "opened"
        script = tmp_path / "browser.py"
        script.write_text(f"import pathlib, sys, time\npathlib.Path({str(opened)!r}).write_text(sys.argv[1])\n{body}\n")
        # `webbrowser` splits it as a shell would: a folder may have a blank in its name.
        monkeypatch.setenv("BROWSER", f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} %s")
        import webbrowser

        monkeypatch.setattr(webbrowser, "_tryorder", None)  # it reads BROWSER once
        monkeypatch.setattr(webbrowser, "_browsers", {})
        return opened

    return make


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_the_browser_that_is_configured_is_opened(world: World, browser_program: Callable[[str], Path]) -> None:
    """With the URL as one argument, whatever is in it."""
    opened, url = browser_program(""), "https://login.example/authorize?a=1&b=%27%20$(x);`y`"

    assert world.run(world.port().open_browser(url)) is True
    assert opened.read_text() == url


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_a_browser_in_the_foreground_is_taken_to_be_open(browser_program: Callable[[str], Path]) -> None:
    """It ends when the person closes it."""
    opened = browser_program(f"while pathlib.Path({sys.argv[0]!r} and sys.argv[0]).exists(): time.sleep(0.01)")

    assert open_browser("https://login.example/", wait=0.05) is True
    assert eventually(opened.exists)
    (opened.parent / "browser.py").unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_a_browser_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or that fails in whatever way."""
    import webbrowser

    def broken(*_: Any) -> bool:
        raise RuntimeError("no way")

    for opening in (broken, lambda *_: False):
        monkeypatch.setattr(webbrowser, "open", opening)
        assert open_browser("https://login.example/") is False


def test_windows_subsystem_for_linux_opens_windows_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By PowerShell. The URL is quoted for it."""
    import webbrowser

    if sys.platform == "win32":
        pytest.skip("the program is a script")
    program = tmp_path / "powershell.exe"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > "{tmp_path}/called"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(webbrowser, "open", lambda *_: False)
    monkeypatch.setattr(_redirects, "_is_wsl", lambda: True)

    assert open_browser("https://login.example/?a='b'") is True
    assert (tmp_path / "called").read_text() == ("-NoProfile|-Command|Start-Process 'https://login.example/?a=''b'''|")
    program.write_text("#!/bin/sh\nexit 1\n")
    assert open_browser("https://login.example/") is False
    program.unlink()
    assert open_browser("https://login.example/") is False


@pytest.mark.skipif(sys.platform != "linux", reason="displays are Linux's")
@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"DISPLAY": ":0"}, None),
        ({"WAYLAND_DISPLAY": "wayland-0"}, None),
        ({"DISPLAY": ":10", "SSH_CONNECTION": "x"}, None),
        ({}, "the program runs without a display"),
        ({"DISPLAY": ""}, "the program runs without a display"),
        ({"SSH_CONNECTION": "x"}, "the program runs over SSH, without a display"),
        ({"BROWSER": "firefox"}, None),
        ({"BROWSER": "x", "CODESPACES": "true"}, None),
        ({"DISPLAY": ":0", "CODESPACES": "true"}, "the program runs in a GitHub codespace"),
        ({"DISPLAY": ":0", "CODESPACES": "false"}, None),
        ({"DISPLAY": ":0", "REMOTE_CONTAINERS": "true"}, "the program runs in a development container"),
        ({"DISPLAY": ":0", "DEVCONTAINER": "1"}, "the program runs in a development container"),
    ],
    ids=str,
)
def test_where_no_browser_can_be_shown(
    environ: dict[str, str], reason: Optional[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that was opened there would be seen by nobody. One that somebody configured is used."""
    monkeypatch.setattr(_redirects, "_is_wsl", lambda: False)

    assert no_browser_reason(environ) == reason


@pytest.mark.parametrize(
    ("platform", "environ", "reason"),
    [
        ("darwin", {}, None),
        ("darwin", {"SSH_CONNECTION": "x"}, "the program runs over SSH"),
        ("win32", {}, None),
    ],
)
def test_where_no_browser_can_be_shown_elsewhere(
    platform: str, environ: dict[str, str], reason: Optional[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows and macOS have a desktop, unless one came by SSH."""
    monkeypatch.setattr(sys, "platform", platform)

    assert no_browser_reason(environ) == reason


@pytest.mark.skipif(sys.platform != "linux", reason="it is a Linux")
def test_windows_subsystem_for_linux_has_the_browser_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any display of its own."""
    monkeypatch.setattr(_redirects, "_is_wsl", lambda: True)

    assert no_browser_reason({}) is None
