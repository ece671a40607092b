"""The loopback web server that a sign-in in the browser comes back to, and opening the browser.

1. It listens on this machine only, on a free port unless the redirect URI names one (RFC 8252, section 7.3).
2. It waits for one answer: a request to the right path that carries the right `state`. Everything else (favicons,
   probes, scanners, an answer to an older sign-in) gets a short reply and changes nothing.
3. The browser is kept waiting until the credential knows how it ended, so that the page tells the truth.
4. Each connection has its own thread and a time-out: one that stays silent holds up nobody. All end with `close`.
5. Values from the query or form are shown to nobody but the credential; pages contain no text that came in unescaped.
"""

from __future__ import annotations

import hmac
import html
import http.server
import queue
import socket
import sys
import threading
from typing import Any, Mapping, Optional
from urllib.parse import parse_qs, urlsplit

from ._messages import PortError

CONNECTION_TIMEOUT = 10
"""Seconds a connection may stay silent."""
PAGE_TIMEOUT = 30
"""Seconds the browser waits for the page at most."""
BODY_LIMIT = 65_536
"""Bytes of a form. An authorization code takes about 1,500."""


class CannotListen(PortError):
    """The port of the redirect URI cannot be used."""


class RedirectListener:
    """Waits for one sign-in to come back. Created listening; `close` it."""

    def __init__(self, host: str, port: int, path: str, state: str) -> None:
        self._path = path or "/"
        self._state = state
        self._answers: queue.Queue[Optional[Mapping[str, str]]] = queue.Queue()
        self._taken = threading.Lock()
        self._page: Optional[tuple[int, bytes]] = None
        self._page_ready = threading.Event()
        try:
            self._server = _Server((_loopback(host), port), self)
        except OSError as error:
            raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="azure-identity-redirect",
            daemon=True,
        )
        self._thread.start()

    def receive(self, timeout: float) -> Optional[Mapping[str, str]]:
        """The parameters of the answer; None when there is none within `timeout` seconds, or the listener was
        closed."""
        try:
            return self._answers.get(timeout=timeout)
        except queue.Empty:
            return None

    def show(self, title: str, text: str, *, success: bool) -> None:
        """What the waiting browser shows."""
        if self._page is None:
            self._page = (200 if success else 400, page(title, text, success=success))
            self._page_ready.set()

    def close(self) -> None:
        """Stop listening. A browser that still waits is told that the sign-in was given up."""
        self.show("Sign-in ended", "The program no longer waits for it. You can close this page.", success=False)
        self._answers.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def take(self, path: str, fields: Mapping[str, str]) -> Optional[tuple[int, bytes]]:
        """Called by a connection: the page to show, or None if the request is a stranger's."""
        if path != self._path or not hmac.compare_digest(fields.get("state", "").encode(), self._state.encode()):
            return None
        if not self._taken.acquire(blocking=False):
            return None  # a second answer, such as a reload of the page
        self._answers.put(fields)
        if not self._page_ready.wait(PAGE_TIMEOUT):
            return 200, page("Sign-in received", "Go back to the program.", success=True)
        return self._page


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # On Windows another process could otherwise listen on the same port and take the authorization code.
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, address: tuple[str, int], listener: RedirectListener) -> None:
        self.listener = listener
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        if sys.platform == "win32":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        # The base class looks the host's name up in DNS, which can take seconds and serves nothing here.
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is no concern of anybody."""


class _Connection(http.server.BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = CONNECTION_TIMEOUT
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "azure-identity", ""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self._answer(parts.path, _fields(parts.query))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_LIMIT:
            self._reply(413, page("Too large", "This is not an answer to a sign-in.", success=False))
            return
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        self._answer(urlsplit(self.path).path, _fields(body))

    def _answer(self, path: str, fields: Mapping[str, str]) -> None:
        shown = self.server.listener.take(path, fields)
        self._reply(
            *(shown or (404, page("Nothing here", "This is not the answer the program waits for.", success=False)))
        )

    def _reply(self, status: int, content: bytes) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Request lines hold authorization codes: nothing is logged."""


def _fields(text: str) -> dict[str, str]:
    try:
        return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True, max_num_fields=50).items()}
    except ValueError:
        return {}


def _loopback(host: str) -> str:
    # Browsers resolve localhost themselves, and all try 127.0.0.1.
    return "127.0.0.1" if host == "localhost" else host.strip("[]")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1.05rem/1.5 system-ui, sans-serif;
          background: Canvas; color: CanvasText; }}
  main {{ max-width: 30rem; padding: 2rem; border-top: .3rem solid {color}; }}
  h1 {{ font-size: 1.4rem; margin: 0 0 .5rem; }}
  p {{ margin: 0; overflow-wrap: anywhere; }}
</style>
</head>
<body><main><h1>{title}</h1><p>{text}</p></main></body>
</html>
"""


def page(title: str, text: str, *, success: bool) -> bytes:
    """A page of one heading and one paragraph."""
    color = "#107c10" if success else "#c50f1f"
    return _PAGE.format(title=html.escape(title), text=html.escape(text), color=color).encode("utf-8")


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
    except (webbrowser.Error, OSError):
        pass
    return _open_from_wsl(url)


def _open_from_wsl(url: str) -> bool:
    """Windows Subsystem for Linux has no browser of its own, but can start the one of Windows."""
    import platform
    import subprocess

    if not (sys.platform == "linux" and "microsoft" in platform.uname().release.lower()):
        return False
    # The URL is quoted for PowerShell: single quotes, doubled inside.
    command = ["powershell.exe", "-NoProfile", "-Command", f"Start-Process '{url.replace(chr(39), chr(39) * 2)}'"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def no_browser_reason(environ: Mapping[str, str]) -> Optional[str]:
    """Why a browser on this machine could not be shown to a person, or None."""
    import platform

    if environ.get("BROWSER"):
        return None  # somebody configured one
    if environ.get("CODESPACES", "").lower() == "true":
        return "the program runs in a GitHub codespace"
    if environ.get("REMOTE_CONTAINERS") or environ.get("DEVCONTAINER"):
        return "the program runs in a development container"
    if sys.platform == "linux":
        wsl = "microsoft" in platform.uname().release.lower()
        if not wsl and not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
            where = "over SSH, " if environ.get("SSH_CONNECTION") else ""
            return f"the program runs {where}without a display"
    elif environ.get("SSH_CONNECTION"):
        return "the program runs over SSH"
    return None
