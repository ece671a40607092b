"""A token endpoint that answers at once, for scenarios that measure how fast a client is.

The emulator checks what it is sent and signs what it answers, so a fast client waits for it. This server does neither:
it reads requests, counts them, and answers with tokens that are as long as real ones and never the same twice. It
serves TLS on 127.0.0.1, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import threading
import uuid
from typing import Any, Optional

ACCESS_TOKEN, REFRESH_TOKEN, ASSERTION = 1800, 1200, 1600
"""Characters of a user's tokens, about what Microsoft Entra ID sends."""


class FastAnswers:
    """The server. It runs until the process ends.

    :param certificate: path of its TLS certificate, for 127.0.0.1.
    :param key: path of the private key.
    :param client_id: audience of the id tokens.
    """

    def __init__(self, certificate: str, key: str, client_id: str) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)
        self._client_id = client_id
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.authority = f"https://127.0.0.1:{self._socket.getsockname()[1]}"
        self._issued = 0
        self.clear()
        threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True).start()

    def clear(self) -> None:
        """Count from here."""
        self.token = self.discovery = 0
        self._used: set[int] = set()

    @property
    def connections(self) -> int:
        """Connections that carried requests since then."""
        return len(self._used)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), sock=self._socket, ssl=self._tls)
        await server.serve_forever()

    def answer(self, connection: int, method: str, path: str) -> bytes:
        """The whole HTTP response to a request."""
        self._used.add(connection)
        if method == "POST" and path.endswith("/oauth2/v2.0/token"):
            self.token += 1
            return _response("200 OK", self._tokens(path.split("/")[1]))
        self.discovery += 1
        if path.endswith("/v2.0/.well-known/openid-configuration"):
            return _response("200 OK", self._metadata(path.split("/")[1]))
        return _response("404 Not Found", {"error": "not_found"})

    def _tokens(self, tenant: str) -> dict[str, Any]:
        self._issued += 1
        user = str(uuid.UUID(int=self._issued))
        claims = {
            "aud": self._client_id,
            "iss": f"{self.authority}/{tenant}/v2.0",
            "iat": 0,
            "exp": 1 << 40,
            "oid": user,
            "tid": tenant,
            "sub": user,
            "preferred_username": f"user-{self._issued}@example.com",
            "name": f"User {self._issued}",
            "ver": "2.0",
        }
        return {
            "token_type": "Bearer",
            "scope": "https://vault.azure.net/user_impersonation https://vault.azure.net/.default",
            "expires_in": 4811,
            "ext_expires_in": 4811,
            "access_token": f"{self._issued:012d}.".ljust(ACCESS_TOKEN, "a"),
            "refresh_token": f"{self._issued:012d}.".ljust(REFRESH_TOKEN, "r"),
            "id_token": ".".join((_HEADER, _base64url(claims), "s" * 342)),
            "client_info": _base64url({"uid": user, "utid": tenant}),
        }

    def _metadata(self, tenant: str) -> dict[str, Any]:
        base = f"{self.authority}/{tenant}"
        return {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }


class _Connection(asyncio.Protocol):
    """One connection: HTTP/1.1 requests with a Content-Length or none, one after another."""

    _numbers = iter(range(1 << 60))

    def __init__(self, server: FastAnswers) -> None:
        self._server = server
        self._number = next(self._numbers)
        self._received = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            lines = head.decode("latin-1").split("\r\n")
            length = _content_length(lines[1:])
            if length is None:
                self._transport.close()
                return
            if len(rest) < length:
                return
            self._received = rest[length:]
            method, path = lines[0].split(" ")[:2]
            self._transport.write(self._server.answer(self._number, method, path))


def _content_length(headers: list[str]) -> Optional[int]:
    """How long the body is; None for one whose end this server does not find."""
    length = 0
    for header in headers:
        name, _, value = header.partition(":")
        if name.lower() == "transfer-encoding":
            return None
        if name.lower() == "content-length":
            length = int(value)
    return length


def _response(status: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _base64url(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


_HEADER = _base64url({"typ": "JWT", "alg": "RS256", "kid": "x" * 27})
