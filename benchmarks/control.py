"""Talks to the server process (server.py): one JSON line each way per connection, loopback only."""

from __future__ import annotations

import json
import socket
from typing import Any

_TIMEOUT = 30.0


class Control:
    """The control port of a running server."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, operation: str, **arguments: Any) -> Any:
        """Carry out an operation of `server.Operations`, and return what it returns."""
        with socket.create_connection(("127.0.0.1", self._port), _TIMEOUT) as connection:
            connection.sendall(json.dumps({"operation": operation, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as answer:
                line = answer.readline()
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(f"{operation}: {reply['error']}")
        return reply["result"]

    def counts(self) -> dict[str, int]:
        """Requests since the last `clear`: `token`, `host` (to managed-identity hosts), `discovery` (all
        others), and `connections`."""
        counts: dict[str, int] = self.ask("counts")
        return counts
