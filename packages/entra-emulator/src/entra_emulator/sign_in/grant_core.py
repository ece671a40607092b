"""What every grant of a person's tokens needs: who asks, what is wanted, whether it may be, and the answer."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import jwt

from ..directory.directory import PERSONAL_TENANT, App, Directory, Tenant
from ..directory.users import SignedIn, User, Users
from ..keys.signing import SigningKey
from ..tokens import access_tokens
from ..tokens.claims_requests import CAPABILITIES, granted_claims, not_before, values_of
from ..tokens.client_authentication import ClientAuthenticator, Proof
from ..tokens.conditional_access import ConditionalAccess
from ..tokens.token_ledger import TokenLedger
from ..tokens.token_request import TokenRequest
from ..tokens.token_service import Answer, TokenService, check_region, v1_answer, v2_answer
from ..values import well_known
from ..values.clock import Clock
from ..values.errors import EntraError, aadsts, entra_time
from ..values.settings import Settings
from .codes import Codes, DeviceCode, RefreshToken, new_secret
from .permissions import OFFLINE_ACCESS, OPENID, Consents, Part, Wanted, parse_scope, scope_member, scp, whole_resource
from .user_tokens import UserGrant, UserTokenIssuer, client_info

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
"""RFC 8628, section 3.4."""
ON_BEHALF_OF = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""RFC 7523, section 2.1; "OAuth 2.0 On-Behalf-Of flow"."""

PASSWORD_METHOD = "pwd"
MFA_METHOD = "mfa"

_SLOWER = 5
"""Seconds that `slow_down` adds to the interval (RFC 8628, section 3.5)."""
_POLL_TOLERANCE = 0.1
_DAY = 24 * 3600


@dataclass(frozen=True)
class Client:
    """Who sends a token request, and how it has proved that."""

    app: App
    proof: Proof


@dataclass(frozen=True)
class Outcome:
    """What a grant has established, and `_answer` turns into tokens."""

    client: Client
    signed_in: SignedIn
    wanted: Wanted
    part: Part
    tenant_name: str
    session: str
    requested_claims: Mapping[str, Any]
    nonce: str = ""
    renewable: bool = False
    """Whether a refresh token comes along even without `offline_access`."""


@dataclass(frozen=True)
class Parts:
    """What the grants and the pages work with."""

    directory: Directory
    tokens: TokenService
    authenticator: ClientAuthenticator
    key: SigningKey
    clock: Clock
    settings: Settings
    issuer: UserTokenIssuer
    ledger: TokenLedger
    policies: ConditionalAccess
    users: Users = field(default_factory=Users)
    consents: Consents = field(default_factory=Consents)
    codes: Codes = field(default_factory=Codes)


class GrantCore:
    """What the grants share. `_answer` ends them all."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    # ---- who, where, what ----

    def app(self, tenant_name: str, client_id: str) -> App:
        """The client app, as known in that tenant.

        :raises EntraError: AADSTS700016, 50194, or 90002.
        """
        if tenant_name.lower() not in well_known.PSEUDO_TENANTS:
            app, known = self._parts.tokens.app(self._parts.tokens.tenant(tenant_name), client_id)
            return app if known else _made_up(app)
        found = self._parts.directory.app(client_id)
        if found is None:
            if self._parts.settings.strict:
                raise aadsts(700016, client_id=client_id, tenant=tenant_name)
            return _made_up(App(client_id, ""))
        if not found.multi_tenant:
            raise aadsts(50194, client_id=client_id, tenant=tenant_name.lower())
        return found

    def tenant_for(self, name: str, user: User, app: App) -> Tenant:
        """The tenant whose token `user` gets at the endpoint of `name`.

        :raises EntraError: AADSTS50020, 500200: the person is not known there.
        """
        home = self._home(user)
        lower = name.lower()
        if lower == "organizations" and user.personal:
            raise aadsts(500200, user=user.username)
        if lower in ("common", "organizations") or (lower == "consumers" and user.personal):
            return home
        tenant = PERSONAL_TENANT if lower == "consumers" else self._parts.tokens.tenant(name)
        if not user.belongs_to(tenant.id):
            raise aadsts(
                50020,
                user=user.username,
                provider=home.display_name or home.domain,
                tenant=tenant.display_name or tenant.domain,
                client_id=app.client_id,
            )
        return tenant

    def signed_in(self, user: User, methods: Tuple[str, ...]) -> SignedIn:
        """The fact that `user` has just signed in."""
        return SignedIn(user, methods, self._parts.users.generation(user), self._parts.clock.now())

    def mfa_challenge(self, app: App, part: Part, signed_in: SignedIn, requested: Mapping[str, Any]) -> Optional[str]:
        """The claims of the challenge if a second factor is missing."""
        if MFA_METHOD in signed_in.methods:
            return None
        asked = signed_in.user.mfa or self._parts.policies.asks_for_mfa(requested)
        return self._parts.policies.mfa_challenge(asked, part.resource.app_id, app.client_id)

    def parse_scope(self, text: str, app: App, tenant_name: str) -> Wanted:
        """Understand a scope parameter. :raises EntraError: it cannot be meant."""
        return parse_scope(
            text,
            lambda identifier: self._parts.tokens.resource(identifier, tenant_name),
            app.client_id,
            strict=self._parts.settings.strict,
        )

    def whole_resource(self, identifier: str, tenant_name: str) -> Wanted:
        """The same for the v1 endpoint's `resource`."""
        return whole_resource(identifier, lambda name: self._parts.tokens.resource(name, tenant_name))

    def _wanted(self, request: TokenRequest, app: App, before: Optional[Wanted] = None) -> Wanted:
        """What a token request asks for; without a scope, what was granted `before`."""
        if request.version == 1:
            if request.get("resource") or before is None:
                return self.whole_resource(request.required("resource"), request.tenant_name)
            return before
        if request.get("resource"):
            raise aadsts(901002)
        if not request.get("scope").strip() and before is not None:
            return before
        wanted = self.parse_scope(request.get("scope"), app, request.tenant_name)
        if before is not None and not any(set(wanted.text.split()) - wanted.oidc):
            # Only openid and its kind: the API is the one of before.
            return dataclasses.replace(wanted, parts=before.parts)
        return wanted

    async def _client(self, request: TokenRequest) -> Client:
        """Who asks. Public clients must not, confidential ones must authenticate.

        :raises EntraError: AADSTS700025, or the authenticator's refusals.
        """
        app = self.app(request.tenant_name, request.client_id)
        presented = bool(request.basic or request.get("client_secret") or request.get("client_assertion"))
        known = self._parts.directory.app(app.client_id) is not None
        if app.public and not (presented and not known):
            if presented:
                raise aadsts(700025)
            proof = Proof(access_tokens.PUBLIC)
        else:
            name = request.tenant_name
            pseudo = name.lower() in well_known.PSEUDO_TENANTS
            tenant = Tenant(app.tenant_id, (name.lower(),)) if pseudo else self._parts.tokens.tenant(name)
            proof = await self._parts.authenticator.authenticate(request, tenant, app, known=known)
        check_region(request, proof)
        return Client(app, proof)

    def _home(self, user: User) -> Tenant:
        return self._parts.tokens.tenant(user.tenant_id)

    # ---- the answer ----

    def _answer(self, request: TokenRequest, outcome: Outcome) -> Answer:
        return self._prepared(request, outcome)()

    def _prepared(self, request: TokenRequest, outcome: Outcome) -> Callable[[], Answer]:
        """Check that there may be an answer. What is returned makes it.

        :raises EntraError: AADSTS50173, 50020, 65001, 50076 and others.
        """
        app, signed_in, part = outcome.client.app, outcome.signed_in, outcome.part
        user = signed_in.user
        if not self._parts.users.is_valid(signed_in) or self._parts.codes.has_ended(outcome.session):
            raise self._revoked(user, signed_in.at)
        tenant = self.tenant_for(outcome.tenant_name, user, app)
        if self._parts.consents.missing(tenant, app, part, user):
            raise consent_required(app)
        challenge = self.mfa_challenge(app, part, signed_in, outcome.requested_claims)
        if challenge is not None:
            raise mfa_required(part, challenge)
        # Raised here, before a code counts as used.
        request.capabilities()
        return lambda: self._tokens(request, outcome, tenant)

    def _tokens(self, request: TokenRequest, outcome: Outcome, tenant: Tenant) -> Answer:
        app, signed_in, part, oidc = outcome.client.app, outcome.signed_in, outcome.part, outcome.wanted.oidc
        granted = self._parts.consents.effective(tenant, app, part, signed_in.user)
        token = self._parts.issuer.access_token(
            UserGrant(
                tenant,
                app,
                part.resource,
                part.audience,
                outcome.client.proof.method,
                signed_in.user,
                scp(part, granted, oidc),
                signed_in.methods,
                request.capabilities() or _capabilities(outcome.requested_claims),
                granted_claims(outcome.requested_claims, self._parts.policies.grantable(part.resource.app_id)),
                not_before(outcome.requested_claims),
            )
        )
        answer = v2_answer(token) if request.version == 2 else v1_answer(token, part.audience)
        answer["scope"] = " ".join(granted) if request.version == 1 else scope_member(part, granted, oidc)
        if OFFLINE_ACCESS in oidc or outcome.renewable:
            answer["refresh_token"] = self._new_refresh_token(outcome)
            if app.family:
                answer["foci"] = app.family
        if OPENID in oidc:
            answer["id_token"] = self._parts.issuer.id_token(
                tenant, app, signed_in.user, oidc, version=request.version, nonce=outcome.nonce
            )
        if request.get("client_info") == "1":
            answer["client_info"] = client_info(signed_in.user)
        return answer

    def _new_refresh_token(self, outcome: Outcome) -> str:
        now = self._parts.clock.now()
        app = outcome.client.app
        held = RefreshToken(
            app.client_id,
            app.family,
            outcome.wanted,
            outcome.signed_in,
            outcome.session,
            now,
            now + self._parts.settings.refresh_token_lifetime,
        )
        return self._parts.codes.refresh.put(new_secret("1."), held)

    # ---- checks ----

    def _check_holder(self, app: App, held: RefreshToken) -> None:
        if held.client_id == app.client_id:
            return
        if held.family and not app.family:
            raise aadsts(
                70000,
                reason=f"The refresh token is for the family '{held.family}', which the client is no member of.",
                suberror="client_mismatch",
            )
        if not held.family or held.family != app.family:
            raise aadsts(70000, reason="The refresh token was issued to another client.")

    def _check_life(self, held: RefreshToken) -> None:
        if self._parts.codes.has_ended(held.session):
            raise aadsts(70000, reason="The session of the refresh token is over.", suberror="bad_token")
        if held.expires_on <= self._parts.clock.now():
            days = (held.expires_on - held.issued_at) // _DAY
            raise aadsts(700082, issued=entra_time(held.issued_at), days=days, suberror="bad_token")

    def _check_pace(self, code: DeviceCode) -> None:
        """:raises EntraError: `slow_down`, and from then on the client has to wait longer (RFC 8628, section 3.5)."""
        now, before = self._parts.clock.exact(), code.polled_at
        code.polled_at = now
        if before is not None and now - before < code.interval - _POLL_TOLERANCE:
            code.interval += _SLOWER
            raise aadsts(90055, waited=f"{now - before:.1f}", interval=code.interval)

    def _revoked(self, user: User, issued: int) -> EntraError:
        valid_from = self._parts.users.valid_from(user)
        return aadsts(50173, issued=entra_time(issued), valid_from=entra_time(valid_from), suberror="bad_token")

    def _user_assertion(self, assertion: str, app: App) -> Dict[str, Any]:
        """The claims of an access token that `app` was sent.

        :raises EntraError: AADSTS50027, 50013, 500131, 500133, 7000114.
        """
        try:
            claims: Dict[str, Any] = jwt.decode(
                assertion,
                self._parts.key.private_key.public_key(),
                algorithms=["RS256"],
                options={
                    "verify_exp": False,  # checked against the emulator's clock
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                    "require": ["exp", "iat", "iss", "aud", "tid"],
                },
            )
        except jwt.InvalidSignatureError as error:
            raise aadsts(50013, reason="The signature does not match the key.", error="invalid_grant") from error
        except (jwt.PyJWTError, UnicodeError) as error:
            raise aadsts(50027, reason=f"({type(error).__name__})", error="invalid_grant") from error
        settings, tenant_id = self._parts.settings, str(claims["tid"])
        if claims["iss"] not in (
            access_tokens.v1_issuer(settings.issuer_v1, tenant_id),
            access_tokens.v2_issuer(settings.issuer_v2, tenant_id),
        ):
            raise aadsts(50013, reason="The issuer is not this service.", error="invalid_grant")
        resource = self._parts.directory.resource(str(claims["aud"]))
        addressee = resource.app_id if resource is not None else str(claims["aud"])
        if addressee.lower() != app.client_id.lower():
            raise aadsts(500131, audience=claims["aud"], expected=app.client_id)
        now = self._parts.clock.now()
        if now >= claims["exp"]:
            raise aadsts(500133, now=entra_time(now), end=entra_time(claims["exp"]))
        if claims.get("idtyp") == "app":
            raise aadsts(7000114, client_id=app.client_id, reason="The assertion is an app's token, not a user's.")
        if not claims.get("scp"):
            raise aadsts(50027, reason="The assertion is no access token of a user.", error="invalid_grant")
        return claims

    def _user_of(self, claims: Mapping[str, Any], app: App) -> User:
        for user in self._parts.users.all():
            tenant_id = str(claims["tid"])
            if user.belongs_to(tenant_id) and user.object_id_in(tenant_id) == claims.get("oid"):
                return user
        raise aadsts(50034, user=claims.get("oid", ""), tenant=claims["tid"])


def check_password(user: User, password: str) -> None:
    """:raises EntraError: AADSTS50126, it is another."""
    if not hmac.compare_digest(user.password.encode(), password.encode()):
        raise aadsts(50126, reason="")


def consent_required(app: App) -> EntraError:
    """The refusal of a grant that nobody can be asked about just now."""
    return aadsts(65001, client_id=app.client_id, name=app.display_name, suberror="consent_required")


def mfa_required(part: Part, claims: str) -> EntraError:
    """The refusal of a grant that lacks a second factor."""
    return aadsts(50076, resource=part.resource.app_id, suberror="basic_action", claims=claims)


def s256(verifier: str) -> str:
    """The challenge of a verifier (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def verifier_matches(verifier: str, challenge: str) -> bool:
    return hmac.compare_digest(s256(verifier), challenge)


def _capabilities(requested: Mapping[str, Any]) -> Tuple[str, ...]:
    return ("CP1",) if "CP1" in {one.upper() for one in values_of(requested.get(CAPABILITIES))} else ()


def methods(claims: Mapping[str, Any]) -> Tuple[str, ...]:
    methods = claims.get("amr")
    return tuple(str(one) for one in methods) if isinstance(methods, list) else (PASSWORD_METHOD,)


def _made_up(app: App) -> App:
    """What a permissive emulator sees behind an unknown client id."""
    return dataclasses.replace(
        app, public=True, redirect_uris=("http://localhost", "http://127.0.0.1"), multi_tenant=True, consented=True
    )
