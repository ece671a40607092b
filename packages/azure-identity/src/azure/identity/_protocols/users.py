"""How people's tokens are asked for, and what answers say about the account.

Sources: RFC 6749 (authorization code, refresh), RFC 7636 (PKCE), RFC 8628 (device authorization), "OAuth 2.0
On-Behalf-Of flow", "OpenID Connect on the Microsoft identity platform", "Refresh tokens in the Microsoft identity
platform".
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Mapping, NamedTuple, Optional, Sequence
from urllib.parse import SplitResult, urlencode, urlsplit

from .._values.messages import RefreshToken, Request, Response
from .._values.record import AuthenticationRecord
from .authority import Authority, is_adfs
from .entra import entra_headers, json_object, whole
from .scopes import merged_claims

OIDC_SCOPES = ("offline_access", "openid", "profile")
"""What makes an answer contain a refresh token and an id token."""
DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
JWT_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def user_scopes(scopes: Sequence[str]) -> str:
    """The scope parameter of a person's sign-in, in alphabetical order."""
    return " ".join(sorted({*scopes, *OIDC_SCOPES}))


def parse_account(
    body: Mapping[str, Any], client_id: str, authority: Authority, tenant: str
) -> Optional[AuthenticationRecord]:
    """The account a token answer is about, or None if it does not say.

    `client_info` identifies it (`uid` and `utid`), else the id token's subject. Neither is verified: they came over TLS
    from the token endpoint itself (OpenID Connect Core, section 3.1.3.7).
    """
    claims = jwt_claims(body.get("id_token"))
    info = _client_info(body.get("client_info"))
    uid, utid = info.get("uid"), info.get("utid")
    home = f"{uid}.{utid}" if uid and utid else claims.get("sub")
    if not isinstance(home, str) or not home:
        return None
    username = claims.get("preferred_username") or claims.get("upn") or ""
    issuer, audience = _issuer(claims.get("iss")), claims.get("aud")
    tenant_id = claims.get("tid") or issuer.path.strip("/") or tenant
    return AuthenticationRecord(
        str(tenant_id),
        audience if isinstance(audience, str) and audience else client_id,
        # Issuers name Microsoft's clouds by their own hosts. Any other authority is found again by its address alone.
        (issuer.hostname or authority.host) if authority.known else authority.url.replace("https://", "", 1),
        home,
        str(username),
    )


def refresh_token_of(body: Mapping[str, Any], client_id: str) -> Optional[RefreshToken]:
    """The refresh token that a token answer brought, if it brought one."""
    secret, family = body.get("refresh_token"), body.get("foci")
    if not isinstance(secret, str) or not secret:
        return None
    return RefreshToken(secret, client_id, str(family) if family else None)


def _issuer(value: object) -> SplitResult:
    try:
        return urlsplit(value if isinstance(value, str) else "")
    except ValueError:
        return urlsplit("")


def jwt_claims(token: object) -> dict[str, Any]:
    """The claims of a JWT, read without verification; nothing if it is none."""
    if not isinstance(token, str) or token.count(".") != 2:
        return {}
    return _decoded(token.split(".")[1])


def _client_info(value: object) -> dict[str, Any]:
    return _decoded(value) if isinstance(value, str) else {}


def _decoded(text: str) -> dict[str, Any]:
    try:
        document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


# --- forms of the token endpoint ---


def refresh_form(client_id: str, scopes: str, refresh_token: str, proof: Mapping[str, str]) -> dict[str, str]:
    """RFC 6749, section 6."""
    return {
        "grant_type": "refresh_token",
        "client_id": client_id,
        "refresh_token": refresh_token,
        "scope": scopes,
        "client_info": "1",
        **proof,
    }


def code_form(
    client_id: str, scopes: str, code: str, redirect_uri: str, proof: Mapping[str, str], verifier: Optional[str] = None
) -> dict[str, str]:
    """RFC 6749, section 4.1.3, with the PKCE verifier of RFC 7636, section 4.5."""
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "redirect_uri": redirect_uri,
        "scope": scopes,
        "client_info": "1",
        **proof,
    }
    if verifier:
        form["code_verifier"] = verifier
    return form


def password_form(client_id: str, scopes: str, username: str, password: str) -> dict[str, str]:
    """RFC 6749, section 4.3.2."""
    return {
        "grant_type": "password",
        "client_id": client_id,
        "username": username,
        "password": password,
        "scope": scopes,
        "client_info": "1",
    }


def on_behalf_of_form(client_id: str, scopes: str, assertion: str, proof: Mapping[str, str]) -> dict[str, str]:
    """ "OAuth 2.0 On-Behalf-Of flow": the incoming access token is the assertion."""
    return {
        "grant_type": JWT_BEARER_GRANT,
        "client_id": client_id,
        "assertion": assertion,
        "requested_token_use": "on_behalf_of",
        "scope": scopes,
        "client_info": "1",
        **proof,
    }


def device_form(client_id: str, device_code: str) -> dict[str, str]:
    """RFC 8628, section 3.4."""
    return {"grant_type": DEVICE_CODE_GRANT, "client_id": client_id, "device_code": device_code, "client_info": "1"}


def anchor(username: Optional[str] = None, home_account_id: Optional[str] = None) -> dict[str, str]:
    """A header by which the service finds the account's home quickly; a hint only."""
    if home_account_id and home_account_id.count(".") == 1:
        uid, utid = home_account_id.split(".")
        return {"X-AnchorMailbox": f"Oid:{uid}@{utid}"}
    return {"X-AnchorMailbox": f"upn:{username}"} if username and username.isascii() and username.isprintable() else {}


# --- device code ---


class DeviceCode(NamedTuple):
    """What a person is shown, and how often to ask whether they are done."""

    device_code: str
    user_code: str
    verification_uri: str
    message: str
    expires_in: int
    interval: int

    def __repr__(self) -> str:
        return f"DeviceCode(verification_uri={self.verification_uri!r}, expires_in={self.expires_in})"


def device_code_request(
    authority: Authority,
    tenant: str,
    client_id: str,
    scopes: str,
    claims: Optional[str],
    cae: bool,
    correlation_id: str,
) -> Request:
    """RFC 8628, section 3.1."""
    path = "adfs/oauth2/devicecode" if is_adfs(tenant) else f"{tenant}/oauth2/v2.0/devicecode"
    form = {"client_id": client_id, "scope": scopes}
    merged = merged_claims(claims, cae)
    if merged:
        form["claims"] = merged
    return Request("POST", f"{authority.url}/{path}", entra_headers(correlation_id), form)


def parse_device_code(response: Response) -> Optional[DeviceCode]:
    """The device code in an answer, or None (RFC 8628, section 3.2; interval defaults to 5 seconds)."""
    body = json_object(response.body) or {}
    texts = [body.get(name) for name in ("device_code", "user_code", "verification_uri")]
    if response.status != 200 or not all(isinstance(text, str) and text for text in texts):
        return None
    device_code, user_code, uri = (str(text) for text in texts)
    message = body.get("message")
    if not isinstance(message, str) or not message:
        message = f"To sign in, open {uri} in a web browser and enter the code {user_code}."
    expires_in, interval = whole(body.get("expires_in")) or 900, whole(body.get("interval"))
    return DeviceCode(
        device_code, user_code, uri, message, expires_in, 5 if interval is None or interval < 0 else interval
    )


# --- browser ---


class SignIn(NamedTuple):
    """The secrets of one sign-in through a browser, each from 32 random bytes."""

    state: str
    nonce: str
    verifier: str

    def __repr__(self) -> str:
        return "SignIn(***)"

    @property
    def challenge(self) -> str:
        """RFC 7636, section 4.2: S256."""
        return _base64url(hashlib.sha256(self.verifier.encode("ascii")).digest())


def sign_in(random: bytes) -> SignIn:
    """The secrets of a sign-in, from 96 random bytes."""
    return SignIn(_base64url(random[:32]), _base64url(random[32:64]), _base64url(random[64:96]))


def authorize_url(
    authority: Authority,
    tenant: str,
    client_id: str,
    scopes: str,
    redirect_uri: str,
    secrets: SignIn,
    *,
    claims: Optional[str],
    cae: bool,
    login_hint: Optional[str],
) -> str:
    """Where the person signs in (RFC 6749, section 4.1.1; OpenID Connect Core, section 3.1.2.1)."""
    path = "adfs/oauth2/authorize" if is_adfs(tenant) else f"{tenant}/oauth2/v2.0/authorize"
    query = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": scopes,
        "state": secrets.state,
        "response_mode": "form_post",
        "code_challenge": secrets.challenge,
        "code_challenge_method": "S256",
        "nonce": secrets.nonce,
        "client_info": "1",
        "prompt": "select_account",
    }
    if login_hint:
        query["login_hint"] = login_hint
    merged = merged_claims(claims, cae)
    if merged:
        query["claims"] = merged
    return f"{authority.url}/{path}?{urlencode(query)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
