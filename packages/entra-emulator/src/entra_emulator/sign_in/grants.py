"""The grants that bring tokens of people: authorization code, refresh token, password, device code, on-behalf-of.

Each takes a `TokenRequest` and returns the members of the answer, or raises `EntraError`. All end in `_answer`, which
applies the same three questions to every grant: has the person (or an administrator) consented, does a policy want a
second factor, has the sign-in been revoked.
"""

from __future__ import annotations

import uuid
from typing import Any, Awaitable, Callable, Dict

from ..directory.users import SignedIn
from ..tokens.claims_requests import parse_claims_request
from ..tokens.token_request import TokenRequest
from ..tokens.token_service import Answer
from ..values import well_known
from ..values.errors import aadsts
from .codes import DeviceCode, new_secret, new_user_code
from .grant_core import (
    DEVICE_CODE,
    ON_BEHALF_OF,
    PASSWORD_METHOD,
    GrantCore,
    Outcome,
    check_password,
    methods,
    verifier_matches,
)


class UserGrants(GrantCore):
    """Answers token requests about people."""

    def grants(self) -> Dict[str, Callable[[TokenRequest], Awaitable[Answer]]]:
        """The grants by `grant_type`."""
        return {
            "authorization_code": self.authorization_code,
            "refresh_token": self.refresh_token,
            "password": self.password,
            DEVICE_CODE: self.device_code,
            "device_code": self.device_code,  # as MSAL for Node writes it; Entra takes both
            ON_BEHALF_OF: self.on_behalf_of,
        }

    # ---- the grants ----

    async def authorization_code(self, request: TokenRequest) -> Answer:
        """RFC 6749, section 4.1.3, with PKCE (RFC 7636)."""
        client = await self._client(request)
        text = request.required("code")
        code = self._parts.codes.authorization.get(text)
        if code is None or code.client_id != client.app.client_id:
            raise aadsts(70000, reason="The authorization code is unknown, or was issued to another client.")
        # Checked before it counts as used: a request that is wrong does not cost the code.
        redirect_uri = request.required("redirect_uri")
        if redirect_uri != code.redirect_uri:
            raise aadsts(500112, uri=redirect_uri, expected=code.redirect_uri)
        if code.challenge and not verifier_matches(request.required("code_verifier"), code.challenge):
            raise aadsts(501481)
        if code.expires_on <= self._parts.clock.now():
            raise aadsts(70008)
        wanted = self._wanted(request, client.app, code.wanted)
        requested = {**code.requested_claims, **parse_claims_request(request.get("claims"))}
        part = wanted.single() if request.get("scope") else wanted.first
        outcome = Outcome(
            client, code.signed_in, wanted, part, code.tenant_name, code.session, requested, nonce=code.nonce
        )
        answer = self._prepared(request, outcome)
        if not self._parts.codes.use(text):
            if self._parts.settings.detect_reuse:
                self._parts.codes.end_session(code.session)
            raise aadsts(54005)
        return answer()

    async def refresh_token(self, request: TokenRequest) -> Answer:
        """RFC 6749, section 6."""
        client = await self._client(request)
        text = request.required("refresh_token")
        held = self._parts.codes.refresh.get(text)
        if held is None:
            raise aadsts(70000, reason="The refresh token is malformed or unknown.")
        self._check_holder(client.app, held)
        self._check_life(held)
        wanted = self._wanted(request, client.app, held.wanted)
        requested = parse_claims_request(request.get("claims"))
        outcome = Outcome(
            client,
            held.signed_in,
            wanted,
            wanted.first,
            request.tenant_name,
            held.session,
            requested,
            renewable=True,
        )
        answer = self._prepared(request, outcome)
        if not self._parts.codes.use(text) and self._parts.settings.detect_reuse:
            self._parts.codes.end_session(held.session)
            raise aadsts(70000, reason="The refresh token was used before; its session is over.", suberror="bad_token")
        return answer()

    async def password(self, request: TokenRequest) -> Answer:
        """RFC 6749, section 4.3: "Resource Owner Password Credentials"."""
        name = request.tenant_name.lower()
        if name in ("common", "consumers"):
            raise aadsts(9001023, tenant=name)
        client = await self._client(request)
        username, password = request.required("username"), request.required("password")
        wanted = self._wanted(request, client.app)
        user = self._parts.users.find(username)
        if user is None or user.personal:
            raise aadsts(50034, user=username, tenant=request.tenant_name)
        if user.federated:
            raise aadsts(50126, reason="The account is federated: its own identity provider knows its password.")
        check_password(user, password)
        signed_in = self.signed_in(user, (PASSWORD_METHOD,))
        requested = parse_claims_request(request.get("claims"))
        return self._answer(
            request,
            Outcome(client, signed_in, wanted, wanted.single(), request.tenant_name, str(uuid.uuid4()), requested),
        )

    async def device_code(self, request: TokenRequest) -> Answer:
        """RFC 8628, section 3.4."""
        client = await self._client(request)
        code = self._parts.codes.device.get(request.required("device_code"))
        if code is None or code.client_id != client.app.client_id:
            raise aadsts(70018)
        if code.redeemed:
            raise aadsts(54005)
        if code.expires_on <= self._parts.clock.now():
            raise aadsts(70020)
        if code.declined:
            raise aadsts(65004, error="authorization_declined")
        self._check_pace(code)
        if code.signed_in is None:
            raise aadsts(70016)
        requested = {**code.requested_claims, **parse_claims_request(request.get("claims"))}
        part = code.wanted.single()
        answer = self._answer(
            request,
            Outcome(client, code.signed_in, code.wanted, part, code.tenant_name, str(uuid.uuid4()), requested),
        )
        code.redeemed = True
        return answer

    async def on_behalf_of(self, request: TokenRequest) -> Answer:
        """ "Microsoft identity platform and OAuth 2.0 On-Behalf-Of flow"."""
        client = await self._client(request)
        if client.app.public:
            raise aadsts(7000218)
        assertion = request.required("assertion")
        if request.required("requested_token_use") != "on_behalf_of":
            raise aadsts(90023, reason="Expected 'requested_token_use' to be 'on_behalf_of'.")
        claims = self._user_assertion(assertion, client.app)
        wanted = self._wanted(request, client.app)
        user = self._user_of(claims, client.app)
        signed_in = SignedIn(user, methods(claims), self._parts.users.generation(user), int(claims["iat"]))
        if self._parts.ledger.revoked_at(claims.get("uti")) is not None:
            raise self._revoked(user, int(claims["iat"]))
        name = request.tenant_name
        tenant_name = str(claims["tid"]) if name.lower() in well_known.PSEUDO_TENANTS else name
        requested = parse_claims_request(request.get("claims"))
        return self._answer(
            request,
            Outcome(client, signed_in, wanted, wanted.single(), tenant_name, str(uuid.uuid4()), requested),
        )

    # ---- the device's first request ----

    async def begin_device_code(self, request: TokenRequest) -> Dict[str, Any]:
        """The answer to a request for a device code (RFC 8628, section 3.1). The client authenticates when it polls."""
        app = self.app(request.tenant_name, request.client_id)
        wanted = self._wanted(request, app)
        wanted.single()
        settings = self._parts.settings
        code = DeviceCode(
            new_secret(),
            new_user_code(),
            app.client_id,
            request.tenant_name,
            wanted,
            self._parts.clock.now() + settings.device_code_lifetime,
            settings.device_code_interval,
            parse_claims_request(request.get("claims")),
        )
        self._parts.codes.add_device_code(code)
        uri = f"{request.base}/devicelogin"
        first = request.version == 1
        return {
            "user_code": code.user_code,
            "device_code": code.device_code,
            "verification_url" if first else "verification_uri": uri,
            "expires_in": str(settings.device_code_lifetime) if first else settings.device_code_lifetime,
            "interval": str(code.interval) if first else code.interval,
            "message": f"To sign in, use a web browser to open the page {uri} and enter the code {code.user_code} to "
            "authenticate.",
        }
