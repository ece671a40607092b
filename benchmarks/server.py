"""The server both sides talk to: the emulator in a process of its own, with a control port on loopback. Beside it, for
scenarios that measure throughput, a token endpoint that answers at once (fast_answers.py).

Prints one JSON line when it is ready, and ends when its standard input does, so it cannot outlive who started it.
"""

from __future__ import annotations

import contextlib
import json
import socketserver
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

from benchmarks.fast_answers import FastAnswers
from entra_emulator import EntraEmulator

TENANTS = 4000
"""How many tenants know the application."""
HOSTS = ("app-service", "imds")
"""Kinds of managed-identity hosts that scenarios use; also how their requests are called in the log."""


class Operations:
    """What the control port can be asked to do."""

    def __init__(self, entra: EntraEmulator) -> None:
        self._entra = entra
        self._app = entra.add_app("benchmark", multi_tenant=True, certificates=[entra.app.certificate_pem])
        self._tenants = [
            entra.add_tenant(f"t{i}.example", tenant_id=str(uuid.UUID(int=(1 << 100) + i))).id for i in range(TENANTS)
        ]
        self._fast = FastAnswers(*entra.issue_certificate("127.0.0.1"), self._app.client_id)
        self._hosts = contextlib.ExitStack()

    def about(self) -> dict[str, Any]:
        """What a client needs to know."""
        return {
            "authority": self._entra.authority,
            "fast_authority": self._fast.authority,
            "tenant": self._app.tenant_id,
            "client_id": self._app.client_id,
            "secret": self._app.secret,
            "certificate": self._entra.app.certificate_path,
            "ca_bundle": self._entra.ca_bundle_file,
        }

    def tenants(self, count: int) -> list[str]:
        """Ids of tenants that know the application."""
        return self._tenants[:count]

    def host(self, kind: str) -> dict[str, str]:
        """Open a managed-identity host until the next `setup`; returns the variables a program finds there."""
        host = self._entra.host(kind, environ={})
        return dict(self._hosts.enter_context(host).environment)

    def setup(self, latency: float, lifetime: int) -> None:
        """Start a run: nothing counted yet, tokens take `latency` seconds and live `lifetime` seconds."""
        self._hosts.close()
        self._entra.faults.clear()
        self._entra.settings.token_lifetime = lifetime
        if latency:
            self._entra.faults.add("token", latency=latency)
        self.clear()

    def clear(self) -> None:
        """Count from here."""
        self._entra.requests.clear()
        self._fast.clear()

    def counts(self) -> dict[str, int]:
        """Requests since then. Those to managed-identity hosts are counted apart."""
        requests, fast = self._entra.requests, self._fast
        token, host = requests.count("token"), sum(requests.count(kind) for kind in HOSTS)
        return {
            "token": token + fast.token,
            "discovery": len(requests) - token - host + fast.discovery,
            "host": host,
            "connections": requests.connections() + fast.connections,
        }


def serve(operations: Operations) -> socketserver.ThreadingTCPServer:
    """A control port for these operations."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = 30

        def handle(self) -> None:
            call = json.loads(self.rfile.readline())
            try:
                reply = {"result": getattr(operations, call.pop("operation"))(**call)}
            except Exception as error:
                reply = {"error": repr(error)}
            self.wfile.write(json.dumps(reply).encode() + b"\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    keys = Path(sys.argv[1])
    keys.mkdir(parents=True, exist_ok=True)
    with EntraEmulator(key_dir=keys) as entra:
        operations = Operations(entra)
        with serve(operations) as control:
            print(json.dumps({"control": control.server_address[1], **operations.about()}), flush=True)
            sys.stdin.read()
            control.shutdown()


if __name__ == "__main__":
    main()
