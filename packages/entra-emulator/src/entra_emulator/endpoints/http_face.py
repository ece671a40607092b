"""The HTTP face: routes, request parsing, response headers, scripted faults. Decides nothing about tokens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import struct
import time
import uuid
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Dict, List, Mapping, Optional, Tuple

from aiohttp import web

from ..journal.faults import Fault, edit_members
from ..journal.request_log import Fields, LoggedRequest, current
from ..tokens.federation import discovery_document, issuer_url
from ..tokens.token_request import TokenRequest
from ..values import well_known
from ..values.addresses import region_of, split_url
from ..values.errors import EntraError, aadsts, explain
from . import discovery, resource_manager
from .forms import duplicates, parse_basic, parse_form
from .protected_resource import (
    Caller,
    InvalidTokenError,
    MissingRoleError,
    challenge,
    chat_completion,
    claims_challenge,
)
from .realm import Realm
from .sign_in_face import SignInFace

PROTECTED_RESOURCE = "api://entra-emulator"
"""The identifier of the API at `/resource`."""

_LOGGER = logging.getLogger("entra_emulator")
_FORM = "application/x-www-form-urlencoded"
_LARGEST_BODY = 1 << 20

_NO_STORE = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}  # RFC 6749, section 5.1
_SECURITY_HEADERS = {
    "Strict-Transport-Security": "max-age=0",  # never pin a developer's localhost
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.Response]]
AnyHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """A path and what it is called in the log and in faults."""

    endpoint: str
    method: str
    path: str
    handler: Handler


class HttpFace:
    """Serves one realm."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._sign_in = SignInFace(
            realm.people, realm.user_grants, realm.conversations, self._caller, base_url, self._token_request
        )
        self._endpoints: Dict[Any, str] = {}

    def application(self) -> web.Application:
        """The aiohttp application. Belongs to the event loop that runs it."""
        application = web.Application(middlewares=[self._observe], client_max_size=_LARGEST_BODY)
        for route in self._routes():
            added = application.router.add_route(route.method, route.path, route.handler)
            self._endpoints[added] = route.endpoint
        return application

    def _routes(self) -> List[Route]:
        federation = "/federation/{issuer:[A-Za-z0-9._~-]+}"
        return [
            Route("token", "*", "/{tenant}/oauth2/v2.0/token", self._token_v2),
            Route("token", "*", "/{tenant}/oauth2/token", self._token_v1),
            *(Route(*route) for route in self._sign_in.routes()),
            Route("instance", "GET", "/common/discovery/instance", self._instance),
            Route("userrealm", "GET", "/common/userrealm/{user}", self._user_realm),
            Route("federation", "GET", f"{federation}/.well-known/openid-configuration", self._federation_document),
            Route("federation", "GET", f"{federation}/keys", self._federation_keys),
            Route("openid-configuration", "GET", "/{tenant}/v2.0/.well-known/openid-configuration", self._openid_v2),
            Route("openid-configuration", "GET", "/{tenant}/.well-known/openid-configuration", self._openid_v1),
            Route("keys", "GET", "/{tenant}/discovery/v2.0/keys", self._keys_v2),
            Route("keys", "GET", "/{tenant}/discovery/keys", self._keys_v1),
            Route("metadata", "GET", "/metadata/endpoints", self._cloud_metadata),
            Route("subscriptions", "GET", "/subscriptions", self._subscriptions),
            Route("tenants", "GET", "/tenants", self._tenants),
            Route("resource", "*", "/resource", self._protected),
            Route("resource", "*", "/resource/{rest:.*}", self._protected),
            Route("chat", "POST", "/openai/deployments/{deployment}/chat/completions", self._chat),
            Route("error", "GET", "/error", self._error_page),
        ]

    # ---- around every request ----

    @web.middleware
    async def _observe(self, request: web.Request, handler: AnyHandler) -> web.StreamResponse:
        try:
            logged = self._logged(request, await request.read())
        except web.HTTPRequestEntityTooLarge as too_large:
            logged, handler = self._logged(request, b""), _raising(too_large)
        current.set(logged)
        self._realm.requests.add(logged)
        try:
            fault = self._realm.faults.take(logged)
            if fault is None:
                response: web.StreamResponse = await self._answer(request, handler, logged)
            else:
                response = await self._fail(request, handler, logged, fault)
            if not (fault and fault.reset):
                logged.status = response.status
            return response
        except Exception:
            logged.status = 500  # aiohttp answers so
            raise
        finally:
            _LOGGER.info("%s %s %s", logged.method, logged.path, logged.status or logged.fault or "failed")

    def _logged(self, request: web.Request, body: bytes) -> LoggedRequest:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        form: List[Tuple[str, str]] = []
        with contextlib.suppress(EntraError):  # the handler will find out, and say so
            if request.content_type == _FORM:
                form = parse_form(body)
        return LoggedRequest(
            endpoint=self._endpoints.get(request.match_info.route, "unknown"),
            method=request.method,
            path=request.path,
            query=Fields(request.query.items()),
            headers=Fields(request.headers.items()),
            form=Fields(form),
            peer_port=peer[1] if peer else 0,
            started=time.time(),
            trace_id=str(uuid.uuid4()),
            correlation_id=correlation_id(request.headers.get("client-request-id", "")),
            duplicates=duplicates(form),
        )

    async def _answer(self, request: web.Request, handler: AnyHandler, logged: LoggedRequest) -> web.Response:
        try:
            response = await handler(request)
            assert isinstance(response, web.Response)  # all of ours are
        except EntraError as error:
            response = self._refusal(request, logged, error)
        except web.HTTPException as error:  # no route, wrong method, body too large
            response = _json(
                {"error": {"code": error.reason, "message": f"{request.method} {request.path}"}}, error.status
            )
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        response.headers.update({**_SECURITY_HEADERS, "x-ms-request-id": logged.trace_id})
        if request.headers.get("return-client-request-id", "").lower() == "true":
            response.headers["client-request-id"] = logged.correlation_id
        return response

    async def _fail(
        self, request: web.Request, handler: AnyHandler, logged: LoggedRequest, fault: Fault
    ) -> web.StreamResponse:
        logged.fault = fault.describe()
        if fault.latency:
            await asyncio.sleep(fault.latency)
        if fault.reset:
            _reset(request)
            return web.Response()
        if fault.answers:
            response = self._scripted(request, logged, fault)
        else:
            response = await self._answer(request, handler, logged)
            if (fault.drop or fault.replace) and response.content_type == "application/json":
                response.body = json.dumps(edit_members(json.loads(_body(response)), fault)).encode()
        response.headers.update(fault.headers)
        if fault.content_type:
            response.headers["Content-Type"] = fault.content_type
        return await _tear(request, response) if fault.torn else response

    def _scripted(self, request: web.Request, logged: LoggedRequest, fault: Fault) -> web.Response:
        status = fault.status or 200
        body = fault.body
        if body is None and (status == 429 or status >= 500):
            response = self._refusal(request, logged, aadsts(90033))
            response.set_status(status)
            return response
        if body is None:
            return web.Response(status=status)
        if isinstance(body, (str, bytes)):
            data = body.encode() if isinstance(body, str) else body
            return web.Response(status=status, body=data, content_type="application/json")
        return _json(body, status)

    def _refusal(self, request: web.Request, logged: LoggedRequest, error: EntraError) -> web.Response:
        body = error.body(
            now=self._realm.clock.now(),
            trace_id=logged.trace_id,
            correlation_id=logged.correlation_id,
            base=base_url(request),
            separator="\r\n" if logged.path.endswith("/oauth2/token") else " ",
        )
        return _json(body, error.status, _NO_STORE)

    # ---- tokens ----

    async def _token_v2(self, request: web.Request) -> web.Response:
        return await self._token(request, 2)

    async def _token_v1(self, request: web.Request) -> web.Response:
        return await self._token(request, 1)

    async def _token(self, request: web.Request, version: int) -> web.Response:
        answer = await self._realm.tokens.answer(await self._token_request(request, version))
        return _json(answer, headers=_NO_STORE)

    async def _token_request(self, request: web.Request, version: int) -> TokenRequest:
        """The form of a POST. :raises EntraError: AADSTS900561, 9002313, 9000411."""
        if request.method != "POST":
            raise aadsts(900561, method=request.method)
        if request.content_type != _FORM:
            raise aadsts(9002313, reason=f"Expected the content type '{_FORM}'.")
        form = parse_form(await request.read())
        for name in duplicates(form):
            raise aadsts(9000411, name=name)
        host = split_url(base_url(request))
        return TokenRequest(
            tenant_name=request.match_info["tenant"],
            version=version,
            form=dict(form),
            basic=parse_basic(request.headers.get("Authorization", "")),
            base=base_url(request),
            host_header=request.host,
            region=region_of(host[0]) if host else None,
        )

    # ---- discovery ----

    async def _openid_v2(self, request: web.Request) -> web.Response:
        return self._openid(request, 2)

    async def _openid_v1(self, request: web.Request) -> web.Response:
        return self._openid(request, 1)

    def _openid(self, request: web.Request, version: int) -> web.Response:
        tenant = self._tenant_id(request)
        return _json(
            discovery.openid_configuration(base_url(request), tenant, version=version, settings=self._realm.settings)
        )

    async def _keys_v2(self, request: web.Request) -> web.Response:
        self._tenant_id(request)
        issuer = discovery.issuer_of_keys(self._realm.settings)
        return _json({"keys": [self._realm.signing_key.jwk(issuer)]})

    async def _keys_v1(self, request: web.Request) -> web.Response:
        self._tenant_id(request)
        return _json({"keys": [self._realm.signing_key.jwk()]})

    def _tenant_id(self, request: web.Request) -> str:
        """The id of the tenant in the URL, or the pseudo tenant as it stands."""
        name = request.match_info["tenant"]
        return name.lower() if name.lower() in well_known.PSEUDO_TENANTS else self._realm.tokens.tenant(name).id

    async def _instance(self, request: web.Request) -> web.Response:
        return _json(
            discovery.instance_discovery(
                base_url(request),
                request.host,
                request.query.get("authorization_endpoint", ""),
                request.query.get("api-version", "1.0"),
                self._realm.addresses,
            )
        )

    async def _user_realm(self, request: web.Request) -> web.Response:
        name = request.match_info["user"]
        user = self._realm.people.users.find(name)
        if user is not None and user.federated:
            return _json(discovery.federated_user_realm(base_url(request), name))
        domains = [name for tenant in self._realm.directory.tenants() for name in tenant.names]
        return _json(discovery.user_realm(name, domains))

    # ---- the hosted external issuer ----

    async def _federation_document(self, request: web.Request) -> web.Response:
        return _json(discovery_document(issuer_url(base_url(request), request.match_info["issuer"])))

    async def _federation_keys(self, request: web.Request) -> web.Response:
        return _json({"keys": [self._realm.federation.key.jwk()]})

    # ---- what the Azure CLI asks Resource Manager ----

    async def _cloud_metadata(self, request: web.Request) -> web.Response:
        return _json(resource_manager.cloud_metadata(base_url(request)))

    async def _subscriptions(self, request: web.Request) -> web.Response:
        caller, refusal = self._caller(request, resource_manager.AUDIENCES)
        if caller is None:
            return refusal
        return _json(resource_manager.subscriptions(self._realm.tokens.tenant(caller.tenant_id)))

    async def _tenants(self, request: web.Request) -> web.Response:
        caller, refusal = self._caller(request, resource_manager.AUDIENCES)
        if caller is None:
            return refusal
        return _json(resource_manager.tenants(self._realm.directory.tenants()))

    # ---- APIs that check tokens ----

    async def _protected(self, request: web.Request) -> web.Response:
        resource = self._realm.directory.resource(PROTECTED_RESOURCE)
        audiences = (*resource.identifiers, resource.app_id) if resource else (PROTECTED_RESOURCE,)
        try:
            caller, refusal = self._caller(request, audiences, check_roles=True)
        except MissingRoleError as error:
            header = challenge(self._authorization_uri(request), "insufficient_scope", str(error))
            body = {"error": {"code": "Forbidden", "message": str(error)}}
            return _json(body, 403, {"WWW-Authenticate": header})
        return refusal if caller is None else _json(caller.as_json())

    async def _chat(self, request: web.Request) -> web.Response:
        caller, refusal = self._caller(request, (well_known.COGNITIVE_SERVICES,))
        if caller is None:
            return refusal
        try:
            answer = chat_completion(request.match_info["deployment"], json.loads(await request.read()))
        except ValueError as error:
            return _json({"error": {"type": "invalid_request_error", "code": None, "message": str(error)}}, 400)
        return _json(answer)

    def _caller(
        self, request: web.Request, audiences: Tuple[str, ...], *, check_roles: bool = False
    ) -> Tuple[Optional[Caller], web.Response]:
        """Who calls, or the 401 to send. :raises MissingRoleError: the caller lacks a role."""
        roles = self._realm.settings.required_roles if check_roles else frozenset()
        try:
            caller = self._realm.verifier.caller(request.headers.get("Authorization", ""), audiences, roles)
            wanted = self._claims_wanted(audiences, caller)
            return (caller, web.Response()) if wanted is None else (None, self._claims_challenge(request, wanted))
        except InvalidTokenError as error:
            header = challenge(self._authorization_uri(request), "invalid_token", str(error))
            body = {"error": {"code": "InvalidAuthenticationToken", "message": str(error)}}
            return None, _json(body, 401, {"WWW-Authenticate": header})

    def _claims_wanted(self, audiences: Tuple[str, ...], caller: Caller) -> Optional[Mapping[str, Any]]:
        """What a token must have that this one lacks, or None."""
        revoked_at = self._realm.issuer.ledger.revoked_at(caller.claims.get("uti"))
        if revoked_at is not None:
            return {"access_token": {"nbf": {"essential": True, "value": str(revoked_at)}}}
        resource = self._realm.directory.resource(audiences[0])
        return None if resource is None else self._realm.policies.unmet(resource.app_id, caller.claims)

    def _claims_challenge(self, request: web.Request, claims: Mapping[str, Any]) -> web.Response:
        uri = f"{base_url(request)}/common/oauth2/v2.0/authorize"
        header = claims_challenge(claims, authorization_uri=uri)
        message = "Continuous access evaluation resulted in challenge with the claims in WWW-Authenticate."
        return _json(
            {"error": {"code": "InvalidAuthenticationToken", "message": message}}, 401, {"WWW-Authenticate": header}
        )

    def _authorization_uri(self, request: web.Request) -> str:
        tenants = self._realm.directory.tenants()
        return f"{base_url(request)}/{tenants[0].id if tenants else 'common'}"

    async def _error_page(self, request: web.Request) -> web.Response:
        code = request.query.get("code", "")
        text = explain(int(code)) if code.isdecimal() and len(code) < 12 else None
        return web.Response(text=text or "No error of this code is known here.", status=200 if text else 404)


def base_url(request: web.Request) -> str:
    """`scheme://host` as the client has addressed the emulator: clients behind a proxy must stay behind it."""
    return f"{request.scheme}://{request.host}"


def correlation_id(client_request_id: str) -> str:
    """The client's id of a request, or a new one if it sent none or no GUID."""
    try:
        return str(uuid.UUID(client_request_id))
    except ValueError:
        return str(uuid.uuid4())


def _json(body: Any, status: int = 200, headers: Optional[Mapping[str, str]] = None) -> web.Response:
    return web.json_response(body, status=status, headers=dict(headers or {}))


def _raising(error: web.HTTPException) -> AnyHandler:
    async def handler(_: web.Request) -> web.StreamResponse:
        raise error

    return handler


def _body(response: web.Response) -> bytes:
    body = response.body
    return body if isinstance(body, bytes) else b""


async def _tear(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Announce the whole body, send half of it, close."""
    body = _body(response)
    torn = web.StreamResponse(status=response.status, headers=response.headers)
    torn.content_length = len(body)
    await torn.prepare(request)
    await torn.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return torn


def _reset(request: web.Request) -> None:
    """Close the connection with a TCP RST: a socket that lingers for no time at all does that."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
