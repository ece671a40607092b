"""Servers on loopback that answer, or misbehave, exactly as a test says: what no HTTP library lets one do."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, Union
from urllib.parse import urlsplit


class Received(NamedTuple):
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    peer_port: int
    """Requests with the same one came through the same connection."""


class Misbehaviour(NamedTuple):
    """What a server does instead of answering."""

    name: str


SILENT = Misbehaviour("silent")
"""Says nothing and keeps the connection open."""
RESET = Misbehaviour("reset")
"""Resets the connection (TCP RST)."""
HANG_UP = Misbehaviour("hang up")
"""Closes the connection."""

Answer = Union[bytes, Misbehaviour]


def reply(status: int = 200, body: bytes = b"{}", headers: Optional[Mapping[str, str]] = None) -> bytes:
    """A whole HTTP answer."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Reason\r\n{head}\r\n".encode("latin-1") + body


def torn(body: bytes = b'{"access_token": ') -> bytes:
    """The beginning of an answer. The server closes the connection after it."""
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body) + 20}\r\n\r\n".encode() + body
    )


class Server:
    """Answers HTTP/1.1 on loopback, over TLS if given a context.

    :param answer: what to answer: one answer for all requests, or a function of the request.
    """

    def __init__(
        self, answer: Union[Answer, Callable[[Received], Answer]], *, tls: Optional[ssl.SSLContext] = None
    ) -> None:
        self._answer = answer if callable(answer) else lambda request: answer
        self._tls = tls
        self.requests: list[Received] = []
        self._open: list[socket.socket] = []
        self._stopped = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/token"

    @property
    def connections(self) -> int:
        """How many connections the requests came through."""
        return len({request.peer_port for request in self.requests})

    def __enter__(self) -> Server:
        self._threads[0].start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self._stopped:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, peer[1]), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, peer_port: int) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection, connection.makefile("rb") as stream:
                while True:
                    request = _read(stream, peer_port)
                    if request is None or not self._respond(connection, request):
                        return
        except (OSError, ValueError):
            return
        finally:
            connection.close()

    def _respond(self, connection: socket.socket, request: Received) -> bool:
        self.requests.append(request)
        answer = self._answer(request)
        if answer is SILENT:
            while not self._stopped and connection.recv(1):
                pass
            return False
        if answer is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if isinstance(answer, Misbehaviour):
            return False
        connection.sendall(answer)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next(
            (
                int(line.partition(b":")[2])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            ),
            0,
        )
        ends = request.headers.get("connection") == "close" or b"chunked" in head
        return len(body) >= length and not ends


def _read(stream: Any, peer_port: int) -> Optional[Received]:
    first = stream.readline().decode("latin-1").split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    for line in iter(stream.readline, b"\r\n"):
        if not line:
            return None
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Received(first[0], first[1], headers, body, peer_port)


class Proxy(Server):
    """A proxy: passes plain requests on, and opens tunnels for CONNECT. `requests` has what came through it."""

    def __init__(self) -> None:
        super().__init__(b"")

    def _respond(self, connection: socket.socket, request: Received) -> bool:
        self.requests.append(request)
        if request.method == "CONNECT":
            host, _, port = request.target.rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port)), 5) as upstream:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _pump_both(connection, upstream)
            return False
        parts = urlsplit(request.target)
        with socket.create_connection((parts.hostname or "", parts.port or 80), 5) as upstream:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            head = "".join(f"{name}: {value}\r\n" for name, value in {**request.headers, "connection": "close"}.items())
            upstream.sendall(f"{request.method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + request.body)
            while chunk := upstream.recv(65536):
                connection.sendall(chunk)
        return False


def _pump_both(one: socket.socket, other: socket.socket) -> None:
    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=pump, args=(other, one), daemon=True)
    back.start()
    pump(one, other)
    back.join(5)


@contextlib.contextmanager
def unconnectable() -> Iterator[str]:
    """A URL on loopback at which connecting never ends: the listener's backlog is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    fillers = []
    try:
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(address)
            fillers.append(filler)
        yield f"http://127.0.0.1:{address[1]}/token"
    finally:
        for one in (*fillers, listener):
            one.close()


def refusing_url() -> str:
    """A URL on loopback at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/token"


def server_context(authority_pem: bytes, *names: str) -> ssl.SSLContext:
    """A TLS server's context, with a certificate for `names` from the authority made by `new_authority`."""
    from entra_emulator.keys.certificate_authority import CertificateAuthority

    return CertificateAuthority(authority_pem).server_context(names)


def new_authority(folder: Path) -> tuple[bytes, str]:
    """A new certificate authority: what `server_context` takes, and the path of the file that clients trust."""
    from entra_emulator.keys import certificate_authority

    pem = certificate_authority.new_authority()
    path = folder / "authority.pem"
    path.write_bytes(certificate_authority.CertificateAuthority(pem).certificate_pem)
    return pem, str(path)


def alive(pid: int) -> bool:
    """Whether a process runs. One that has ended but was not reaped yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    except ProcessLookupError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def eventually(condition: Callable[[], object], seconds: float = 5.0) -> bool:
    """Whether `condition` becomes true in time. Returns as soon as it is."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
