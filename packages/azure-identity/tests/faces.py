"""The two faces of a credential on a script: a test is written once, and runs the flow on a thread and on a loop."""

from __future__ import annotations

import asyncio
import types
from typing import Any, NamedTuple, Optional

from scripted import ScriptedIO, on

import azure.identity
import azure.identity.aio
from azure.identity._values.messages import ALONE, Token, TokenRequest


class Face(NamedTuple):
    """One of the faces."""

    name: str
    package: types.ModuleType

    def make(self, name: str, **arguments: Any) -> Any:
        """A credential of this face, by its public name."""
        return getattr(self.package, name)(**arguments)

    def entry(
        self,
        credential: Any,
        io: ScriptedIO,
        *scopes: str,
        claims: Optional[str] = None,
        tenant: Optional[str] = None,
        cae: bool = False,
        context: str = ALONE,
    ) -> Any:
        """What the flow answers, as the face gets it after its own look in the cache."""
        request = TokenRequest(scopes, tenant, claims, cae, context)
        answer = on(io, credential)._token(request)
        return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer

    def ask(self, credential: Any, io: ScriptedIO, *scopes: str, **request: Any) -> Token:
        """The same, the token only."""
        token: Token = self.entry(credential, io, *scopes, **request).token
        return token


FACES = (Face("sync", azure.identity), Face("async", azure.identity.aio))
