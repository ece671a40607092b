"""From the scope of a request to the resource it means.

"Microsoft identity platform and OAuth 2.0 client credentials flow" and "Scopes and permissions: the .default scope".
"""

from __future__ import annotations

from ..values import well_known
from ..values.errors import aadsts

DEFAULT = "/.default"


def application_resource(scope: str) -> str:
    """The resource identifier in the scope of a client_credentials request.

    Exactly one scope, and that one ends in `/.default`; nothing else is stripped, so that
    `https://x//.default` means the resource `https://x/`. A bare `.default` means Microsoft Graph.

    :raises EntraError: AADSTS1002012, AADSTS28000.
    """
    scopes = scope.split(" ")
    for one in scopes:
        if one != ".default" and not (one.endswith(DEFAULT) and len(one) > len(DEFAULT)):
            raise aadsts(1002012, scope=scope)
    resources = {_resource(one) for one in scopes}
    if len(resources) > 1:
        raise aadsts(28000, scope=scope)
    return resources.pop()


def _resource(scope: str) -> str:
    return well_known.GRAPH if scope == ".default" else scope[: -len(DEFAULT)]
