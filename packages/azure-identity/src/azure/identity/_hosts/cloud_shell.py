"""Azure Cloud Shell. On the wire: one POST to MSI_ENDPOINT. The token is the signed-in person's, so there is no
identity to choose."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .._protocols.identities import Identity
from .host import Host

if TYPE_CHECKING:
    from .._values.messages import Request
    from .host import Errand

_LOGGER = logging.getLogger(__name__)


class CloudShellHost(Host):
    """The token endpoint of Cloud Shell."""

    kind = "cloud-shell"
    label = "Cloud Shell managed identity"
    name = "Cloud Shell"
    next_step = "Cloud Shell has tokens for some resources only; others need a credential of another kind."

    def settle(self, identity: Identity, in_default_chain: bool) -> Identity:
        if not identity.kind:
            return identity
        if not in_default_chain:
            raise ValueError(
                f"{self._who}: Cloud Shell does not support user-assigned managed identities: its tokens are those of "
                f"the person who is signed in. Leave out the {identity.kind.replace('_', ' ')} there."
            )
        # The same program may run with that identity elsewhere; here its user is meant.
        _LOGGER.info("%s: Cloud Shell has no user-assigned identities; %s is not asked for", self._who, identity)
        return identity._replace(kind="", value="")

    def request(self, errand: Errand) -> Request:
        from .._protocols.cloud_shell import token_request

        return token_request(self.endpoint, errand.resource, errand.identity.others)


CloudShellCredential = CloudShellHost
"""The name under which programs have come to look for it."""
