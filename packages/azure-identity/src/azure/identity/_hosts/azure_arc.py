"""Azure Arc-enabled servers. On the wire: a GET to IDENTITY_ENDPOINT, which is refused with the path of a key file that
only some users may read; then the same with the content of that file. A key is good for one challenge.

Agents that do not know user-assigned identities pass over the id and answer with the system-assigned one, so the answer
must confirm the id.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Mapping, Optional

from .._protocols.identities import CLIENT_ID, OBJECT_ID, RESOURCE_ID, Identity
from .._values import settings
from .._values.messages import Unreadable
from .host import Host

if TYPE_CHECKING:
    from .._outside.port import FlowIO
    from .._values.messages import Response, Token
    from .host import Errand

CHALLENGES = 2
"""How often a challenge is answered before the answer counts."""


class AzureArcHost(Host):
    """The token endpoint of the Azure Connected Machine agent."""

    kind = "azure-arc"
    label = "Azure Arc managed identity"
    name = "the Azure Arc agent"
    ids: Mapping[str, str] = {CLIENT_ID: "client_id", OBJECT_ID: "object_id", RESOURCE_ID: "msi_res_id"}
    next_step = "Check that the agent is connected ('azcmagent show'), and the scope."

    async def acquire(self, io: FlowIO, errand: Errand) -> Token:
        self.check(errand.identity)
        response, sent_at = await self.answer(
            io, errand, lambda seconds: self._exchange(io, errand, seconds), self._retries
        )
        return self.read(errand, response, sent_at)

    async def _exchange(self, io: FlowIO, errand: Errand, seconds: Optional[float]) -> Response:
        from .._protocols.arc import token_request
        from .._protocols.managed_identity import selector

        fields = selector(errand.identity, self.ids)
        question = token_request(self.endpoint, errand.resource, fields)
        response = await self.send(io, question, seconds)
        for _ in range(CHALLENGES):
            if response.status != 401:
                break
            key = await self._key(io, response)
            answer = token_request(self.endpoint, errand.resource, fields, key)
            response = await self.send(io, answer, seconds)
        return response

    async def _key(self, io: FlowIO, challenge: Response) -> str:
        from .._protocols.arc import (
            KEY_LIMIT,
            BadChallenge,
            challenged_path,
            checked_path,
            key_directory,
            parse_key,
        )

        try:
            directory = key_directory(sys.platform, settings.read(settings.PROGRAM_DATA))
            path = checked_path(challenged_path(challenge), directory, sys.platform)
            content = await io.read(path, KEY_LIMIT, follow_links=False)
            return parse_key(content)
        except BadChallenge as error:
            raise self.failed(f"{self.name} sent a challenge that cannot be answered: {error}.", challenge) from None
        except Unreadable as error:
            raise self.failed(
                f"{self.name} wants proof that this program may read its key, and it may not, or the key does not "
                "exist: "
                f"{error}. Run the program as a member of the group himds (Linux) or of 'Hybrid agent extension "
                "applications' (Windows), or as an administrator.",
                challenge,
            ) from error

    def confirm(self, identity: Identity, body: Mapping[str, Any], token: Token, response: Response) -> None:
        from .._protocols.managed_identity import shown_identity

        super().confirm(identity, body, token, response)
        if identity.kind and shown_identity(body, identity.kind) is None:
            raise self.failed(
                f"{self.name} did not confirm that its token is for {identity}: versions before it knew user-assigned "
                "identities answer with the system-assigned one. The token is not used. Update the agent, or leave out "
                "the id to use the system-assigned identity.",
                response,
            )


AzureArcCredential = AzureArcHost
"""The name under which programs have come to look for it."""
