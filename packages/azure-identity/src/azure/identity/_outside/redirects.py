"""The loopback web server that a sign-in in the browser comes back to, and opening the browser.

1. It listens on this machine only, on a free port unless the redirect URI names one (RFC 8252, section 7.3).
2. It waits for one answer: a request to the right path that carries the right `state`. Everything else (favicons,
   probes, scanners, an answer to an older sign-in, the same answer again) gets a short reply and changes nothing.
3. The browser is kept waiting until the credential knows how the sign-in ended, so that the page tells the truth; and
   the credential does not go on before the page is delivered, since the program may end at once.
4. Each connection has its own thread and a time-out: one that stays silent holds up nobody. `close` ends them all, and
   takes no longer than waking a thread, so that an event loop may call it.
5. Values from the query or form are shown to nobody but the credential; pages contain no text that came in unescaped.
"""

from __future__ import annotations

import hmac
import html
import http.server
import os
import queue
import selectors
import socket
import sys
import threading
import time
from typing import Any, Mapping, NamedTuple, Optional
from urllib.parse import parse_qs, urlsplit

from .._values.messages import CannotRun, Command, PortError, TimedOut

CONNECTION_TIMEOUT = 10.0
"""Seconds a connection may stay silent."""
CONNECTION_LIMIT = 32
"""Connections open at a time. Beyond that the one that has been silent longest is dropped."""
PAGE_TIMEOUT = 30.0
"""Seconds the browser waits for the page at most."""
DELIVERY_TIMEOUT = 2.0
"""Seconds the credential waits for the page to be delivered at most."""
BODY_LIMIT = 65_536
"""Bytes of a form. An authorization code takes about 1,500."""
_SLICE = 1.0
"""Seconds a thread waits in one go: on Windows Ctrl-C is noticed only between waits."""


class CannotListen(PortError):
    """The port of the redirect URI cannot be used."""


class Page(NamedTuple):
    """What a browser is shown."""

    status: int
    content: bytes


class RedirectListener:
    """Waits for one sign-in to come back. Created listening; `close` it.

    :param host: `localhost` or an address of this machine's loopback interface.
    :param port: 0 for any free one.
    :param path: the only path an answer may come to; empty means `/`.
    :param state: what an answer must carry as `state`.
    :raises CannotListen: the port is taken, or may not be used.
    """

    def __init__(self, host: str, port: int, path: str, state: str) -> None:
        self._path = path or "/"
        self._state = state
        self._answers: queue.Queue[Optional[Mapping[str, str]]] = queue.Queue()
        self._page: Optional[Page] = None
        self._page_ready = threading.Event()
        self._delivered = threading.Event()
        self._answered = False
        self._closed = threading.Event()
        self._lock = threading.Lock()
        # Open connections, oldest first. True: the sign-in came back on it, and its browser waits for the page.
        self._connections: dict[socket.socket, bool] = {}
        try:
            self._socket = _listening_socket(_loopback(host), port)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CannotListen(f"cannot listen on {host}:{port}: {reason}") from error
        self.port: int = self._socket.getsockname()[1]
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="azure-identity-redirect", daemon=True)
        self._thread.start()

    # --- for the credential

    def receive(self, timeout: float) -> Optional[Mapping[str, str]]:
        """The parameters of the answer; None if there is none within `timeout` seconds, or the listener is closed."""
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                return self._answers.get(timeout=max(0.0, min(left, _SLICE)))
            except queue.Empty:
                if left <= 0:
                    return None

    def show(self, failure: Optional[str]) -> None:
        """Show the browser that waits how the sign-in ended: well (None), or why not.

        Returns when the browser has the page, or if none waits.
        """
        if failure is None:
            text = "You can close this page and go back to the program."
            self._say(Page(200, page("You are signed in", text, success=True)))
        else:
            text = "The program could not sign you in. You can close this page and go back to it."
            self._say(Page(400, page("Sign-in failed", text, failure, success=False)))
        if self._answered:
            self._delivered.wait(DELIVERY_TIMEOUT)

    def close(self) -> None:
        """Stop listening, at once. A browser that still waits is told that the sign-in was given up."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
        text = "The program no longer waits for it. You can close this page."
        self._say(Page(400, page("Sign-in ended", text, success=False)))
        self._answers.put(None)
        self._stop.close()
        self._thread.join()
        with self._lock:
            for connection, waits in self._connections.items():
                if not waits:
                    _hang_up(connection)

    def _say(self, shown: Page) -> None:
        with self._lock:
            if self._page is None:
                self._page = shown
        self._page_ready.set()

    # --- for connections

    def take(self, connection: socket.socket, path: str, fields: Mapping[str, str]) -> Page:
        """The page for a request, after the credential has made up its mind if it is the answer."""
        expected, given = self._state.encode("utf-8"), fields.get("state", "").encode("utf-8", "replace")
        with self._lock:
            mine = path == self._path and hmac.compare_digest(given, expected) and not self._answered
            if not mine or self._closed.is_set():
                return _NOT_FOUND
            self._answered = True
            self._connections[connection] = True
        self._answers.put(fields)
        self._page_ready.wait(PAGE_TIMEOUT)
        return self._page or Page(200, page("Sign-in received", "Go back to the program.", success=True))

    def _serve(self) -> None:
        """Accept connections until `close`."""
        with self._socket, self._stopped, selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while not self._closed.is_set():
                selector.select()
                try:
                    connection, _ = self._socket.accept()
                except BlockingIOError:
                    continue  # it was the call to stop, or a connection that is gone again
                except OSError:
                    self._closed.wait(0.05)  # out of file descriptors, say: try again, but do not spin
                    continue
                self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._connections) >= CONNECTION_LIMIT:
                _hang_up(next(old for old, waits in self._connections.items() if not waits))
            self._connections[connection] = False
        try:
            connection.settimeout(CONNECTION_TIMEOUT)
            threading.Thread(
                target=self._converse, args=(connection,), name="azure-identity-redirect", daemon=True
            ).start()
        except (OSError, RuntimeError):  # no more threads
            self._forget(connection)

    def _converse(self, connection: socket.socket) -> None:
        try:
            _Connection(connection, self)
        except Exception:  # noqa: BLE001, S110 - a connection that breaks is no concern of anybody
            pass
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            waited = self._connections.pop(connection)
            connection.close()
        if waited:
            self._delivered.set()


def _listening_socket(address: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        if sys.platform == "win32":
            # Another process could otherwise listen on the same port and take the authorization code.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen()
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def _loopback(host: str) -> str:
    # Browsers resolve localhost themselves, and all try 127.0.0.1.
    return "127.0.0.1" if host == "localhost" else host


def _hang_up(connection: socket.socket) -> None:
    """Make the thread that waits on a connection end. It closes the connection itself."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the peer was faster


class _Connection(http.server.BaseHTTPRequestHandler):
    """One request and its reply."""

    timeout = CONNECTION_TIMEOUT
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "azure-identity", ""

    def __init__(self, connection: socket.socket, listener: RedirectListener) -> None:
        self._listener = listener
        server: Any = None  # the base class only keeps it
        super().__init__(connection, ("", 0), server)

    def do_GET(self) -> None:
        parts = _parts(self.path)
        self._answer(parts[0], _fields(parts[1]))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isdecimal() and len(length) < 10 and int(length) <= BODY_LIMIT):
            self._reply(Page(413, page("Too large", "This is not the answer to a sign-in.", success=False)))
            return
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        self._answer(_parts(self.path)[0], _fields(body))

    def _answer(self, path: str, fields: Mapping[str, str]) -> None:
        self._reply(self._listener.take(self.connection, path, fields))

    def _reply(self, shown: Page) -> None:
        self.close_connection = True
        self.send_response(shown.status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(shown.content)))
        self.send_header("Connection", "close")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(shown.content)

    def log_message(self, format: str, *args: Any) -> None:
        """Request lines hold authorization codes: nothing is logged."""


def _parts(target: str) -> tuple[str, str]:
    """Path and query of a request's target."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return "", ""
    return parts.path, parts.query


def _fields(text: str) -> dict[str, str]:
    """The parameters of a query or form. None may be there twice (RFC 6749, section 3.1): which would count?"""
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()} if all(len(v) == 1 for v in fields.values()) else {}


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; --ground: #f0f2f5; --card: #fff; --text: #1b1b1f; --quiet: #565a61;
           --line: #d5d8dd; --good: #0e700e; --bad: #b00020; --on: #fff; }}
  @media (prefers-color-scheme: dark) {{
    :root {{ --ground: #16181c; --card: #212429; --text: #f1f2f4; --quiet: #b3b8c0; --line: #3a3f47;
             --good: #6fce6f; --bad: #ff9aa2; --on: #16181c; }}
  }}
  * {{ box-sizing: border-box; }}
  body {{ margin: 0; min-height: 100vh; display: grid; place-content: center; padding: 1rem;
          grid-template-columns: min(32rem, 100%); background: var(--ground); color: var(--text);
          font: 1rem/1.5 system-ui, sans-serif; }}
  main {{ background: var(--card); border-radius: .75rem; padding: 2rem; box-shadow: 0 1px 6px rgb(0 0 0 / .18); }}
  h1 {{ font-size: 1.5rem; line-height: 1.25; font-weight: 600; margin: 0 0 .75rem; display: flex; gap: .75rem;
        align-items: center; }}
  h1::before {{ content: "{mark}"; flex: none; width: 2.25rem; height: 2.25rem; border-radius: 50%; display: grid;
                place-content: center; font-size: 1.25rem; background: var(--{kind}); color: var(--on); }}
  p {{ margin: 0; overflow-wrap: anywhere; white-space: pre-line; }}
  p + p {{ margin-top: 1.25rem; padding-top: 1.25rem; border-top: 1px solid var(--line); font-size: .875rem;
           color: var(--quiet); }}
</style>
</head>
<body><main><h1>{title}</h1><p>{text}</p>{details}</main></body>
</html>
"""


def page(title: str, text: str, details: str = "", *, success: bool) -> bytes:
    """A page of one heading and one or two paragraphs."""
    content = _PAGE.format(
        title=html.escape(title),
        text=html.escape(text),
        details=f"<p>{html.escape(details)}</p>" if details else "",
        kind="good" if success else "bad",
        mark="\\2713" if success else "!",
    )
    return content.encode("utf-8", "replace")


_NOT_FOUND = Page(404, page("Nothing here", "This is not the answer the program waits for.", success=False))


# --- the browser


def open_browser(url: str, wait: float = 5.0) -> bool:
    """Open the person's web browser. False if there is none.

    Some browsers are started in the foreground (the variable BROWSER may name one), so the call is made on a thread of
    its own: if it has not returned after `wait` seconds, the browser is taken to be open.
    """
    outcome: queue.Queue[bool] = queue.Queue()

    def work() -> None:
        outcome.put(_open(url))

    threading.Thread(target=work, name="azure-identity-browser", daemon=True).start()
    try:
        return outcome.get(timeout=wait)
    except queue.Empty:
        return True


def _open(url: str) -> bool:
    import webbrowser

    try:
        if webbrowser.open(url):
            return True
    except Exception:  # noqa: BLE001, S110 - a browser that cannot be opened, for whatever reason, is none
        pass
    return _is_wsl() and _open_from_wsl(url)


def _open_from_wsl(url: str) -> bool:
    """Windows Subsystem for Linux has no browser of its own, but can start the one of Windows."""
    from .processes import Process

    # The URL is quoted for PowerShell: single quotes, doubled inside.
    start = f"Start-Process '{url.replace(chr(39), chr(39) * 2)}'"
    try:
        return Process(Command(("powershell.exe", "-NoProfile", "-Command", start), timeout=5)).run().returncode == 0
    except (CannotRun, TimedOut):
        return False


def _is_wsl() -> bool:
    import platform

    return sys.platform == "linux" and "microsoft" in platform.uname().release.lower()


def no_browser_reason(environ: Optional[Mapping[str, str]] = None) -> Optional[str]:
    """Why a browser on this machine could not be shown to a person, or None."""
    given = os.environ if environ is None else environ
    if given.get("BROWSER"):
        return None  # somebody configured one
    if given.get("CODESPACES", "").lower() == "true":
        return "the program runs in a GitHub codespace"
    if given.get("REMOTE_CONTAINERS") or given.get("DEVCONTAINER"):
        return "the program runs in a development container"
    over_ssh = bool(given.get("SSH_CONNECTION"))
    if sys.platform == "linux":
        if not (given.get("DISPLAY") or given.get("WAYLAND_DISPLAY") or _is_wsl()):
            return f"the program runs {'over SSH, ' if over_ssh else ''}without a display"
    elif over_ssh:
        return "the program runs over SSH"
    return None
