"""Azure Cloud Shell: tokens of the person who has opened it.

"Acquire a user token in Azure Cloud Shell": a POST with `Metadata: true`, for a short list of audiences.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from aiohttp import web

from ..directory.directory import identifier_key
from ..endpoints.forms import duplicates, parse_form
from ..endpoints.http_face import Route
from ..values import well_known
from ..values.errors import EntraError
from .face import Refusal
from .host import HttpHost, Site

TOKEN_PATH = "/oauth2/token"
AUDIENCES = (
    "https://management.core.windows.net/",
    well_known.ARM,
    "https://graph.windows.net/",
    well_known.GRAPH,
    "https://vault.azure.net",
    "https://storage.azure.com/",
    "https://datalake.azure.net/",
    "https://batch.core.windows.net/",
    "https://outlook.office365.com/",
    "https://api.loganalytics.io",
    "https://analysis.windows.net/powerbi/api",
)


class CloudShellHost(HttpHost):
    """Azure Cloud Shell.

    :keyword audiences: the resources it gives tokens for. Default: `AUDIENCES`.
    """

    kind = "cloud-shell"

    def __init__(self, site: Site, *, audiences: Sequence[str] = AUDIENCES, **common: Any) -> None:
        super().__init__(site, **common)
        self._audiences = tuple(audiences)

    def _start(self) -> Dict[str, str]:
        self._listen()
        return {"MSI_ENDPOINT": f"{self.url}{TOKEN_PATH}", "AZUREPS_HOST_ENVIRONMENT": "cloud-shell/1.0"}

    def _routes(self) -> List[Route]:
        return [Route("cloud-shell", "POST", TOKEN_PATH, self._token)]

    def _error_body(self, status: int) -> Any:
        return _body("InternalServerError" if status >= 500 else "BadRequest", "The request failed.")

    async def _token(self, request: web.Request) -> web.Response:
        if request.headers.get("Metadata") != "true":
            raise _refusal("bad_request_102", "Required metadata header not specified")
        resource = _resource(await request.read())
        if identifier_key(resource) not in map(identifier_key, self._audiences):
            raise _refusal(
                "AudienceNotSupported",
                f"Audience {resource} is not a supported MSI token audience. Supported audiences: "
                f"{','.join(self._audiences)}",
            )
        token = self._tokens.user_token(resource, self._site.tenant_id)
        return web.json_response(
            {
                "access_token": token.value,
                "refresh_token": "",
                "expires_in": str(token.expires_on - token.issued_at),
                "expires_on": str(token.expires_on),
                "not_before": str(token.not_before),
                "resource": resource,
                "token_type": "Bearer",
            }
        )


def _resource(body: bytes) -> str:
    try:
        form = parse_form(body)
    except EntraError as error:
        raise _refusal("BadRequest", "The body is not a form in UTF-8.") from error
    if duplicates(form) or not dict(form).get("resource"):
        raise _refusal("BadRequest", "The form needs one parameter 'resource'.")
    return dict(form)["resource"]


def _body(code: str, message: str) -> Dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _refusal(code: str, message: str) -> Refusal:
    return Refusal(400, _body(code, message))
