"""The little of Azure Key Vault that reading a secret needs: a challenge, and a check of the token."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict

import jwt

HOST = "my-vault.vault.azure.net"
RESOURCE = "https://vault.azure.net"
SECRETS = {"greeting": "good morning"}


class Vault(ThreadingHTTPServer):
    """Serves on `address`, port 443, until the end of the `with` block.

    "Authentication, requests and responses" of the Key Vault documentation describes the challenge.

    :param authority: URL of the tenant at the authority that clients are sent to, and whose keys verify their tokens.
    """

    daemon_threads = True

    def __init__(self, address: str, authority: str, certificate: str, key: str, ca_file: str) -> None:
        super().__init__((address, 443), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.authority = authority
        self.keys = jwt.PyJWKClient(
            f"{authority}/discovery/v2.0/keys", ssl_context=ssl.create_default_context(cafile=ca_file)
        )

    def __enter__(self) -> Vault:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def admits(self, authorization: str) -> bool:
        """Whether an Authorization header has a token for vaults, signed by the authority and not expired."""
        token = authorization[len("Bearer ") :] if authorization.startswith("Bearer ") else ""
        try:
            key = self.keys.get_signing_key_from_jwt(token)
            jwt.decode(token, key, algorithms=["RS256"], audience=[RESOURCE, f"{RESOURCE}/"])
        except jwt.PyJWTError:
            return False
        return True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Vault

    def do_GET(self) -> None:
        name = self.path.strip("/").split("/")[1] if self.path.startswith("/secrets/") else ""
        if not self.server.admits(self.headers.get("Authorization", "")):
            challenge = f'Bearer authorization="{self.server.authority}", resource="{RESOURCE}"'
            self._answer(401, {"error": {"code": "Unauthorized"}}, {"WWW-Authenticate": challenge})
        elif name not in SECRETS:
            self._answer(404, {"error": {"code": "SecretNotFound"}}, {})
        else:
            self._answer(200, {"value": SECRETS[name], "id": f"https://{HOST}/secrets/{name}/1", "attributes": {}}, {})

    def _answer(self, status: int, body: Dict[str, Any], headers: Dict[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for header, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""
