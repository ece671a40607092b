"""The endpoints of a sign-in over HTTP: authorize, device codes, sign-out, userinfo."""

from __future__ import annotations

import logging
import secrets
from typing import Awaitable, Callable, Dict, List, Mapping, Optional, Tuple, Union
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from ..directory.users import User
from ..journal.request_log import current
from ..sign_in.authorization import (
    AuthorizationRequest,
    ReplyTo,
    form_action_source,
    read_reply_to,
    read_request,
    redirect_location,
    redirect_uri_matches,
)
from ..sign_in.conversation import Answer, Browser, Conversations, Outcome, RefusedError
from ..sign_in.grant_core import Parts
from ..sign_in.grants import UserGrants
from ..sign_in.permissions import OPENID
from ..sign_in.user_tokens import pairwise_subject
from ..tokens.token_request import TokenRequest
from ..values import well_known
from ..values.errors import EntraError, aadsts, entra_time
from .pages import error_page, form_post_page, screen_page, signed_out_page
from .protected_resource import Caller, challenge

COOKIE = "emulator_session"
"""The cookie that tells browsers apart. It means nothing by itself."""

Handler = Callable[[web.Request], Awaitable[web.Response]]
EndpointRoute = Tuple[str, str, str, Handler]
"""Name, method, path, handler."""

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100
_LOGGER = logging.getLogger("entra_emulator")


class SignInFace:
    """Serves the pages of one realm.

    :param caller: who calls an API of these identifiers, or the refusal to send.
    :param base_url: `scheme://host` as the client has addressed the emulator.
    :param token_request: reads a POST to an endpoint of OAuth.
    """

    def __init__(
        self,
        parts: Parts,
        grants: UserGrants,
        conversations: Conversations,
        caller: Callable[[web.Request, Tuple[str, ...]], Tuple[Optional[Caller], web.Response]],
        base_url: Callable[[web.Request], str],
        token_request: Callable[[web.Request, int], Awaitable[TokenRequest]],
    ) -> None:
        self._parts = parts
        self._grants = grants
        self._conversations = conversations
        self._caller = caller
        self._base_url = base_url
        self._token_request = token_request

    def routes(self) -> List[EndpointRoute]:
        """What to serve."""
        return [
            ("authorize", "*", "/{tenant}/oauth2/v2.0/authorize", self._authorize_v2),
            ("authorize", "*", "/{tenant}/oauth2/authorize", self._authorize_v1),
            ("devicecode", "*", "/{tenant}/oauth2/v2.0/devicecode", self._device_code_v2),
            ("devicecode", "*", "/{tenant}/oauth2/devicecode", self._device_code_v1),
            ("devicelogin", "*", "/devicelogin", self._device_login),
            ("logout", "*", "/{tenant}/oauth2/v2.0/logout", self._logout),
            ("logout", "*", "/{tenant}/oauth2/logout", self._logout),
            ("userinfo", "*", "/oidc/userinfo", self._userinfo),
        ]

    # ---- authorize ----

    async def _authorize_v2(self, request: web.Request) -> web.Response:
        return await self._authorize(request, 2)

    async def _authorize_v1(self, request: web.Request) -> web.Response:
        return await self._authorize(request, 1)

    async def _authorize(self, request: web.Request, version: int) -> web.Response:
        browser = self._conversations.browser(request.cookies.get(COOKIE, ""))
        try:
            fields = await _fields(request)
            if request.method == "POST" and "flow" in fields:
                outcome = self._conversations.step(fields, browser)
            else:
                asked = self._read(request, fields, version)
                if isinstance(asked, web.Response):
                    return _with_cookie(request, asked, browser)
                outcome = self._conversations.begin(asked, browser)
            response = self._show(request, outcome)
        except RefusedError as refused:
            response = self._refuse(request, refused.request.reply_to, refused.error)
        except EntraError as error:
            response = self._error(request, error)
        return _with_cookie(request, response, browser)

    def _read(
        self, request: web.Request, fields: Mapping[str, str], version: int
    ) -> Union[AuthorizationRequest, web.Response]:
        """The request, or the refusal that goes to its redirect URI. :raises EntraError: one to be shown."""
        name = request.match_info["tenant"]
        if name.lower() not in well_known.PSEUDO_TENANTS:
            self._parts.tokens.tenant(name)
        if not fields.get("client_id"):
            raise aadsts(900144, name="client_id")
        app = self._grants.app(name, fields["client_id"])
        reply_to = read_reply_to(fields, app)
        try:
            return read_request(
                fields,
                reply_to,
                name,
                version,
                lambda text: self._grants.parse_scope(text, app, name),
                lambda identifier: self._grants.whole_resource(identifier, name),
            )
        except EntraError as error:
            return self._refuse(request, reply_to, error)

    def _refuse(self, request: web.Request, reply_to: ReplyTo, error: EntraError) -> web.Response:
        body = self._body(request, error)
        fields = reply_to.with_error(error, str(body["error_description"]))
        return self._reply(request, reply_to, fields)

    def _reply(self, request: web.Request, reply_to: ReplyTo, fields: Mapping[str, str]) -> web.Response:
        """Send `fields` to the redirect URI (RFC 6749, section 4.1.2)."""
        if reply_to.response_mode == "form_post":
            nonce = secrets.token_urlsafe(16)
            text = form_post_page(reply_to.redirect_uri, fields, nonce)
            return _html(text, nonce, form_action_source(reply_to.redirect_uri))
        return _redirect(redirect_location(reply_to, fields))

    # ---- device codes ----

    async def _device_code_v2(self, request: web.Request) -> web.Response:
        return await self._device_code(request, 2)

    async def _device_code_v1(self, request: web.Request) -> web.Response:
        return await self._device_code(request, 1)

    async def _device_code(self, request: web.Request, version: int) -> web.Response:
        answer = await self._grants.begin_device_code(await self._token_request(request, version))
        return web.json_response(answer, headers={"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"})

    async def _device_login(self, request: web.Request) -> web.Response:
        browser = self._conversations.browser(request.cookies.get(COOKIE, ""))
        try:
            fields = await _fields(request)
            if request.method == "POST":
                outcome = self._conversations.step(fields, browser)
            else:
                outcome = self._conversations.begin_device(browser, fields.get("otc", ""))
            response = self._show(request, outcome)
        except EntraError as error:
            response = self._error(request, error)
        return _with_cookie(request, response, browser)

    # ---- sign-out ----

    async def _logout(self, request: web.Request) -> web.Response:
        """OpenID Connect RP-Initiated Logout 1.0."""
        browser = self._conversations.browser(request.cookies.get(COOKIE, ""))
        try:
            fields = await _fields(request)
        except EntraError as error:
            return _with_cookie(request, self._error(request, error), browser)
        users = self._conversations.sign_out(browser)
        target = fields.get("post_logout_redirect_uri", "")
        if target and self._is_registered(target):
            state = fields.get("state", "")
            joint = "&" if "?" in target else "?"
            response = _redirect(f"{target}{joint}{urlencode({'state': state})}" if state else target)
        else:
            nonce = secrets.token_urlsafe(16)
            response = _html(signed_out_page(users, nonce), nonce)
        return _with_cookie(request, response, browser)

    def _is_registered(self, uri: str) -> bool:
        """Whether `uri` belongs to an app: a sign-out must not lead just anywhere."""
        return any(
            redirect_uri_matches(registered, uri)
            for app in self._parts.directory.apps()
            for registered in app.redirect_uris
        )

    # ---- userinfo ----

    async def _userinfo(self, request: web.Request) -> web.Response:
        """OpenID Connect Core, section 5.3. It takes a token of Microsoft Graph with the scope `openid`."""
        resource = self._parts.directory.resource(well_known.GRAPH)
        assert resource is not None  # every directory has it
        caller, refusal = self._caller(request, (*resource.identifiers, resource.app_id))
        if caller is None:
            return refusal
        user = self._user(caller.tenant_id, caller.object_id)
        if user is None or OPENID not in str(caller.claims.get("scp", "")).split():
            text = "The token is not a person's, or lacks the scope openid."
            header = challenge(f"{self._base_url(request)}/common", "insufficient_scope", text)
            body = {"error": {"code": "Forbidden", "message": text}}
            return web.json_response(body, status=403, headers={"WWW-Authenticate": header})
        tenant = self._parts.tokens.tenant(caller.tenant_id)
        first, _, last = user.display_name.partition(" ")
        document = {
            "sub": pairwise_subject(tenant, user, caller.app_id),
            "name": user.display_name,
            "given_name": first,
            "family_name": last,
            "email": user.username,
            "picture": "https://graph.microsoft.com/v1.0/me/photo/$value",
        }
        return web.json_response({name: value for name, value in document.items() if value})

    def _user(self, tenant_id: str, object_id: str) -> Optional[User]:
        found = (one for one in self._parts.users.all() if one.belongs_to(tenant_id))
        return next((one for one in found if one.object_id_in(tenant_id) == object_id), None)

    # ---- answers ----

    def _show(self, request: web.Request, outcome: Outcome) -> web.Response:
        if isinstance(outcome, Answer):
            return self._reply(request, outcome.request.reply_to, outcome.fields)
        nonce = secrets.token_urlsafe(16)
        asked = outcome.attempt.request
        # A form that leads to a redirect needs leave for its target as well (Content Security Policy Level 3, 6.4.1).
        target = form_action_source(asked.reply_to.redirect_uri) if asked is not None else ""
        return _html(screen_page(outcome, request.path, nonce), nonce, target)

    def _error(self, request: web.Request, error: EntraError) -> web.Response:
        logged = current.get()
        details = {
            "Correlation ID": logged.correlation_id,
            "Request ID": logged.trace_id,
            "Timestamp": entra_time(self._parts.clock.now()),
        }
        _LOGGER.info("error page: %s", error.code)
        nonce = secrets.token_urlsafe(16)
        return _html(error_page(str(error), details, nonce), nonce, status=error.status)

    def _body(self, request: web.Request, error: EntraError) -> Dict[str, object]:
        logged = current.get()
        return error.body(
            now=self._parts.clock.now(),
            trace_id=logged.trace_id,
            correlation_id=logged.correlation_id,
            base=self._base_url(request),
        )


async def _fields(request: web.Request) -> Dict[str, str]:
    """The parameters of a GET or POST.

    :raises EntraError: AADSTS9002313, 9000411: another method, no form, or a name twice (RFC 6749, section 3.1).
    """
    if request.method == "GET":
        pairs = list(request.query.items())
    elif request.method == "POST" and request.content_type == _FORM:
        try:
            text = (await request.read()).decode("utf-8")
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
        except (UnicodeError, ValueError) as error:
            raise aadsts(9002313, reason="The body is not a form in UTF-8.") from error
    else:
        raise aadsts(9002313, reason="Expected GET, or POST of a form.")
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise aadsts(9000411, name=name)
    return dict(pairs)


def _html(text: str, nonce: str, form_target: str = "", status: int = 200) -> web.Response:
    targets = f"'self' {form_target}".strip()
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; form-action {targets}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return web.Response(
        text=text,
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
        },
    )


def _redirect(location: str) -> web.Response:
    return web.Response(
        status=302, headers={"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    )


def _with_cookie(request: web.Request, response: web.Response, browser: Browser) -> web.Response:
    if request.cookies.get(COOKIE) != browser.key:
        response.set_cookie(
            COOKIE, browser.key, path="/", httponly=True, samesite="Lax", secure=request.scheme == "https"
        )
    return response
