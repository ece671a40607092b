"""The little of Azure DevOps that a pipeline needs: OIDC tokens of its service connection.

"Oidctoken - Create" of the Azure DevOps REST API, version 7.1.
"""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable
from urllib.parse import parse_qs, urlsplit

from hermetic.places import AZURE_DEVOPS

SERVICE_CONNECTION = "5e7c0de0-0000-4000-8000-00000000d001"
ACCESS_TOKEN = "the-access-token-of-this-pipeline"
_PATH = "/contoso/project/_apis/distributedtask/hubs/build/plans/1/jobs/2/oidctoken"
REQUEST_URI = f"https://{AZURE_DEVOPS}{_PATH}"
"""What SYSTEM_OIDCREQUESTURI says."""


class PipelinesServer(ThreadingHTTPServer):
    """Serves on `address`, port 443, until the end of the `with` block.

    :param token: makes the OIDC token.
    """

    daemon_threads = True

    def __init__(self, address: str, certificate: str, key: str, token: Callable[[], str]) -> None:
        super().__init__((address, 443), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.token = token

    def __enter__(self) -> PipelinesServer:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PipelinesServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if self.headers.get("Authorization") != f"Bearer {ACCESS_TOKEN}":
            self._answer(401, {"message": "TF400813: The user is not authorized to access this resource."})
        elif parts.path != _PATH or query.get("api-version") != ["7.1"]:
            self._answer(404, {"message": "The controller for the path was not found."})
        elif query.get("serviceConnectionId") != [SERVICE_CONNECTION]:
            self._answer(400, {"message": "The service connection was not found."})
        else:
            self._answer(200, {"oidcToken": self.server.token()})

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""
