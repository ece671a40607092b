"""Servers outside Azure that Azure Arc manages: the agent himds, which wants proof of access to a protected directory.

"Authenticate against Azure resources with Azure Arc-enabled servers": the first request is answered with the path of a
key file, the second one carries what the file holds.
"""

from __future__ import annotations

import os
import secrets
import threading
import uuid
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from aiohttp import web

from ..endpoints.http_face import Route
from .app_service import same
from .asking import invalid, oauth_error, repeated, selectors
from .face import Refusal
from .host import HttpHost, Site
from .identities import ManagedIdentity
from .imds import TOKEN_PATH, check_metadata, unknown_resource
from .tokens import UnknownResourceError

API_VERSIONS = ("2019-08-15", "2019-11-01", "2020-06-01")
REAL_KEY_DIRECTORY = "/var/opt/azcmagent/tokens"
"""The only directory that clients accept on Linux."""

_SELECTORS = {"client_id": "client_id", "object_id": "object_id", "msi_res_id": "resource_id"}
_PARAMETERS = {kind: name for name, kind in _SELECTORS.items()}


class ArcHost(HttpHost):
    """A server with the Azure Connected Machine agent.

    :keyword key_directory: where key files appear. Clients accept `REAL_KEY_DIRECTORY` alone, unless a test tells them
        otherwise. It is created, and removed again, if it does not exist. Default: a temporary directory.
    :keyword user_assigned: whether the agent knows user-assigned identities. One that does not ignores the selectors
        and confirms nothing.
    :keyword key_ending: what follows the key in its file, such as a line break.
    """

    kind = "arc"

    def __init__(
        self,
        site: Site,
        *,
        key_directory: Union[str, os.PathLike[str], None] = None,
        user_assigned: bool = True,
        key_ending: str = "",
        **common: Any,
    ) -> None:
        super().__init__(site, **common)
        self.user_assigned = user_assigned
        self.key_ending = key_ending
        self._wanted_directory = None if key_directory is None else Path(key_directory)
        self._directory: Optional[Path] = None
        self._made: List[Path] = []
        self._lock = threading.Lock()
        self._keys: Dict[Path, str] = {}

    @property
    def key_directory(self) -> str:
        """Where key files appear."""
        if self._directory is None:
            raise RuntimeError("this arc host is not open")
        return str(self._directory)

    @property
    def keys(self) -> Sequence[Path]:
        """The key files that no request has used yet."""
        with self._lock:
            return tuple(self._keys)

    def _start(self) -> Dict[str, str]:
        self._directory = self._wanted_directory or self._site.new_directory("arc-tokens")
        self._made = _make(self._directory)
        self._listen()
        return {"IDENTITY_ENDPOINT": f"{self.url}{TOKEN_PATH}", "IMDS_ENDPOINT": self.url}

    def _stop(self) -> None:
        super()._stop()
        for path in self.keys:
            self._discard(path)
        for directory in self._made:
            directory.rmdir()
        self._made = []
        self._directory = None

    def _routes(self) -> List[Route]:
        return [Route("arc", "GET", TOKEN_PATH, self._token)]

    def _error_body(self, status: int) -> Any:
        return oauth_error("server_error" if status >= 500 else "invalid_request", "The request failed.")

    async def _token(self, request: web.Request) -> web.Response:
        check_metadata(request)
        if request.query.get("api-version") not in API_VERSIONS:
            raise invalid(f"The api-version is missing or not supported. Supported: {', '.join(API_VERSIONS)}.")
        name = repeated(request.query)
        if name is not None:
            raise invalid(f"The parameter '{name}' appears more than once.")
        resource = request.query.get("resource", "")
        if not resource:
            raise invalid("The parameter 'resource' is missing.")
        if not self._use_key(request.headers.get("Authorization", "")):
            raise self._challenge()
        return self._answer(request, resource)

    def _answer(self, request: web.Request, resource: str) -> web.Response:
        named = selectors(request.query, _SELECTORS) if self.user_assigned else []
        if len(named) > 1:
            raise invalid("Specify the identity by one of client_id, object_id and msi_res_id.")
        identity = self._assigned.find(*named[0]) if named else self._assigned.system
        if identity is None:
            raise invalid("Identity not found")
        try:
            token = self._tokens.token(identity, resource)
        except UnknownResourceError as error:
            raise unknown_resource(resource) from error
        return web.json_response(
            {
                "access_token": token.value,
                "expires_in": str(token.expires_on - self._clock.now()),
                "expires_on": str(token.expires_on),
                "not_before": str(token.not_before),
                "resource": resource,
                "token_type": "Bearer",
                **{_PARAMETERS[kind]: _confirmed(identity, kind) for kind, _ in named},
            }
        )

    # ---- the proof ----

    def _challenge(self) -> Refusal:
        path = Path(self.key_directory) / f"{uuid.uuid4()}.key"
        key = secrets.token_urlsafe(64)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        with os.fdopen(descriptor, "w", encoding="ascii", newline="") as file:
            file.write(key + self.key_ending)
        with self._lock:
            self._keys[path] = key
        return Refusal(
            401,
            oauth_error("unauthorized_client", "Missing Basic Authorization header"),
            {"Www-Authenticate": f"Basic realm={path}"},
        )

    def _use_key(self, authorization: str) -> bool:
        """Whether the header holds an unused key. The key is used up then."""
        scheme, _, presented = authorization.partition(" ")
        with self._lock:
            found = [path for path, key in self._keys.items() if same(presented, key)]
        if scheme.lower() != "basic" or not found:
            return False
        self._discard(found[0])
        return True

    def _discard(self, path: Path) -> None:
        with self._lock:
            self._keys.pop(path, None)
        path.unlink(missing_ok=True)


def _confirmed(identity: ManagedIdentity, kind: str) -> str:
    return str(getattr(identity, kind))


def _make(directory: Path) -> List[Path]:
    """Make `directory` and its parents. Returns what was not there before, the deepest first."""
    missing = [one for one in (directory, *directory.parents) if not one.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    return missing
