"""Entra's errors, by AADSTS code.

Codes and texts: "Microsoft Entra authentication and authorization error codes"; the member `error` follows RFC 6749,
section 5.2. Clients must react to `error` and `suberror`, never to the text, so the texts here say the same in the
emulator's own words where that helps, and add what the emulator knows about the cause.
"""

from __future__ import annotations

import time
from typing import Dict, NamedTuple, Optional


class _Kind(NamedTuple):
    error: str
    status: int
    text: str


_KINDS: Dict[int, _Kind] = {
    # the request itself
    900144: _Kind("invalid_request", 400, "The request body must contain the following parameter: '{name}'."),
    90014: _Kind(
        "invalid_request",
        400,
        "The required field '{name}' is missing from the credential. Ensure that you have all the necessary parameters "
        "for the login request.",
    ),
    900561: _Kind("invalid_request", 400, "The endpoint only accepts POST requests. Received a {method} request."),
    9000411: _Kind(
        "invalid_request", 400, "The request is not properly formatted. The parameter '{name}' is duplicated."
    ),
    9002313: _Kind("invalid_request", 400, "Invalid request. Request is malformed or invalid. {reason}"),
    901002: _Kind("invalid_request", 400, "The 'resource' request parameter is not supported."),
    70003: _Kind("unsupported_grant_type", 400, "The app requested an unsupported grant type '{grant}'."),
    9000410: _Kind("invalid_request", 400, "Malformed JSON in the parameter '{name}'."),
    # the tenant and the app
    90002: _Kind(
        "invalid_request",
        400,
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. This tenant does not exist in this emulator.",
    ),
    50059: _Kind(
        "invalid_request",
        400,
        "No tenant-identifying information found in either the request or implied by any provided credentials. "
        "'{tenant}' names no single tenant, which this grant needs.",
    ),
    700016: _Kind(
        "unauthorized_client",
        400,
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant. You may have sent your authentication "
        "request to the wrong tenant.",
    ),
    50049: _Kind("invalid_instance", 400, "Unknown or invalid instance."),
    100007: _Kind(
        "invalid_client",
        401,
        "The regional endpoint serves only managed identities and applications that authenticate by subject name and "
        "issuer (a certificate sent with its chain, 'x5c').",
    ),
    # client authentication
    7000218: _Kind(
        "invalid_client",
        401,
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    7000215: _Kind(
        "invalid_client",
        401,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not "
        "the client secret ID, for a secret added to app '{client_id}'.",
    ),
    7000222: _Kind(
        "invalid_client", 401, "The provided client secret keys for app '{client_id}' are expired. Create new keys."
    ),
    50027: _Kind("invalid_client", 401, "JWT token is invalid or malformed. {reason}"),
    5002738: _Kind(
        "invalid_client",
        401,
        "Invalid JWT token. '{alg}' is not a supported signature algorithm. Supported signing algorithms are: "
        "'{supported}'.",
    ),
    700021: _Kind(
        "invalid_client", 401, "Client assertion application identifier doesn't match 'client_id' parameter. {reason}"
    ),
    700023: _Kind(
        "invalid_client",
        401,
        "Client assertion audience claim does not match Realm issuer. Audience of the assertion: '{audience}', "
        "expected: '{expected}'.",
    ),
    700024: _Kind(
        "invalid_client",
        401,
        "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {start}, "
        "expiry time of assertion {end}.",
    ),
    700027: _Kind(
        "invalid_client",
        401,
        "The certificate with identifier used to sign the client assertion is not valid. {reason}",
    ),
    50013: _Kind("invalid_client", 401, "Assertion failed signature validation. {reason}"),
    1000502: _Kind("invalid_client", 401, "The provided certificate is not within its specified validity period."),
    # federated credentials
    70025: _Kind("invalid_client", 401, "The client '{client_id}' has no configured federated identity credentials."),
    70021: _Kind(
        "invalid_request",
        400,
        "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. "
        "Assertion Subject: '{subject}'. Assertion Audience: '{audience}'.",
    ),
    700211: _Kind(
        "invalid_client", 401, "No matching federated identity record found for presented assertion issuer '{issuer}'."
    ),
    700212: _Kind(
        "invalid_client",
        401,
        "No matching federated identity record found for presented assertion audience '{audience}'.",
    ),
    700213: _Kind(
        "invalid_client",
        401,
        "No matching federated identity record found for presented assertion subject '{subject}'.",
    ),
    50166: _Kind("invalid_client", 401, "Request to External OIDC endpoint failed. {reason}"),
    # scope and resource
    1002012: _Kind(
        "invalid_scope",
        400,
        "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
        "/.default suffixed to the resource identifier (application ID URI).",
    ),
    28000: _Kind(
        "invalid_scope",
        400,
        "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope "
        "{scope} is not valid.",
    ),
    500011: _Kind(
        "invalid_resource",
        400,
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the "
        "application has not been installed by the administrator of the tenant.",
    ),
    # users and their sign-in
    9001023: _Kind(
        "invalid_request",
        400,
        "The grant type is not supported over the '/{tenant}' endpoint. Please use the /organizations or "
        "tenant-specific endpoint.",
    ),
    50194: _Kind(
        "invalid_request",
        400,
        "Application '{client_id}' is not configured as a multi-tenant application. Usage of the '/{tenant}' endpoint "
        "is not supported for it. Use a tenant-specific endpoint or configure the application to be multi-tenant.",
    ),
    50126: _Kind("invalid_grant", 400, "Error validating credentials due to invalid username or password. {reason}"),
    50034: _Kind(
        "invalid_grant",
        400,
        "The user account '{user}' does not exist in the directory '{tenant}'. To sign into this application, the "
        "account must be added to the directory.",
    ),
    50020: _Kind(
        "invalid_grant",
        400,
        "User account '{user}' from identity provider '{provider}' does not exist in tenant '{tenant}' and cannot "
        "access the application '{client_id}' in that tenant. The account needs to be added as an external user in the "
        "tenant first.",
    ),
    500200: _Kind(
        "invalid_grant",
        400,
        "User account '{user}' is a personal Microsoft account. Personal Microsoft accounts are not supported here "
        "unless explicitly invited to an organization.",
    ),
    50058: _Kind(
        "login_required",
        400,
        "A silent sign-in request was sent but no user is signed in. (prompt=none, and the browser holds no session "
        "that fits.)",
    ),
    16000: _Kind(
        "interaction_required",
        400,
        "Several accounts are signed in, and a silent sign-in request did not say which one. Send 'login_hint'.",
    ),
    50076: _Kind(
        "interaction_required",
        400,
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
        "use multi-factor authentication to access '{resource}'.",
    ),
    50173: _Kind(
        "invalid_grant",
        400,
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have "
        "changed or reset their password. The grant was issued on '{issued}' and the TokensValidFrom date (before "
        "which tokens are not valid) for this user is '{valid_from}'.",
    ),
    65001: _Kind(
        "invalid_grant",
        400,
        "The user or administrator has not consented to use the application with ID '{client_id}' named '{name}'. "
        "Send an interactive authorization request for this user and resource.",
    ),
    65004: _Kind("access_denied", 400, "User declined to consent to access the app."),
    90094: _Kind(
        "access_denied",
        400,
        "An administrator of '{tenant}' has to consent: '{name}' asks for the permission '{scope}', which users cannot "
        "grant.",
    ),
    # authorization requests and pages
    165000: _Kind(
        "invalid_request", 400, "Invalid request: the request tokens do not match the user context. {reason}"
    ),
    50011: _Kind(
        "invalid_request",
        400,
        "The redirect URI '{uri}' specified in the request does not match the redirect URIs configured for the "
        "application '{client_id}'. Make sure the redirect URI sent in the request matches one added to the "
        "application in the Azure portal.",
    ),
    500113: _Kind("invalid_request", 400, "No reply address is registered for the application '{client_id}'."),
    700054: _Kind(
        "unsupported_response_type", 400, "response_type '{type}' is not enabled for the application. Expected 'code'."
    ),
    70007: _Kind(
        "invalid_request",
        400,
        "'{mode}' is not a supported value of 'response_mode' when requesting a token. Expected query, fragment or "
        "form_post.",
    ),
    90023: _Kind("invalid_request", 400, "Invalid STS request. {reason}"),
    9002325: _Kind(
        "invalid_request", 400, "Proof Key for Code Exchange is required: '{client_id}' is a public client. {reason}"
    ),
    50149: _Kind("invalid_request", 400, "Invalid 'code_challenge' or 'code_challenge_method' parameter. {reason}"),
    # codes and refresh tokens
    501481: _Kind(
        "invalid_grant",
        400,
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    500112: _Kind(
        "invalid_grant",
        400,
        "The reply address '{uri}' does not match the reply address '{expected}' provided when requesting "
        "Authorization code.",
    ),
    54005: _Kind(
        "invalid_grant",
        400,
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh "
        "token.",
    ),
    70000: _Kind("invalid_grant", 400, "Provided grant is invalid or malformed. {reason}"),
    70008: _Kind(
        "invalid_grant",
        400,
        "The provided authorization code or refresh token has expired. Send a new interactive authorization request "
        "for this user and resource.",
    ),
    700082: _Kind(
        "invalid_grant",
        400,
        "The refresh token has expired due to inactivity. The token was issued on {issued} and was inactive for {days} "
        "days.",
    ),
    700025: _Kind(
        "invalid_client",
        401,
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    ),
    700022: _Kind(
        "invalid_scope",
        400,
        "The provided value for the input parameter 'scope' is not valid because it contains more than one resource.",
    ),
    70011: _Kind("invalid_scope", 400, "The provided value for the input parameter 'scope' is not valid. {reason}"),
    650053: _Kind(
        "invalid_client",
        401,
        "The application '{client_id}' asked for scope '{scope}' that doesn't exist on the resource '{resource}'.",
    ),
    650057: _Kind(
        "invalid_resource",
        400,
        "Invalid resource. The client has requested access to a resource which is not listed in the requested "
        "permissions in the client's application registration. Client app ID: {client_id}. Resource: {resource}.",
    ),
    # device codes (RFC 8628, section 3.5)
    70016: _Kind(
        "authorization_pending", 400, "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
    ),
    90055: _Kind(
        "slow_down",
        400,
        "The client polls too fast: it came back after {waited} seconds, and has to wait {interval} from now on.",
    ),
    70018: _Kind("bad_verification_code", 400, "Invalid verification code due to user typing in wrong user code."),
    70020: _Kind(
        "expired_token",
        400,
        "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
    ),
    # on behalf of
    500131: _Kind(
        "invalid_grant",
        400,
        "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was "
        "'{audience}' and the expected audience is '{expected}' or one of the Application Uris of this application.",
    ),
    500133: _Kind(
        "invalid_grant",
        400,
        "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for "
        "user assertion, or request a new token. Current time: {now}, expiry time of assertion {end}.",
    ),
    7000114: _Kind(
        "invalid_grant",
        400,
        "Application '{client_id}' is not allowed to make application on-behalf-of calls: {reason}",
    ),
    # the service
    90033: _Kind("temporarily_unavailable", 503, "A transient error has occurred. Please try again."),
}


class EntraError(Exception):
    """A refusal of the token service. `text` never holds a secret.

    :param code: the number after AADSTS.
    :param error: the OAuth error code.
    :param status: the HTTP status.
    """

    def __init__(
        self,
        code: int,
        error: str,
        status: int,
        text: str,
        *,
        suberror: Optional[str] = None,
        claims: Optional[str] = None,
    ) -> None:
        super().__init__(f"AADSTS{code}: {text}")
        self.code = code
        self.error = error
        self.status = status
        self.text = text
        self.suberror = suberror
        self.claims = claims

    def body(
        self, *, now: int, trace_id: str, correlation_id: str, base: str, separator: str = " "
    ) -> Dict[str, object]:
        """The JSON object of the answer.

        :keyword now: epoch seconds.
        :keyword base: `scheme://host` of the help page.
        :keyword separator: what stands before each trailing item; the v1 endpoint uses line breaks.
        """
        timestamp = entra_time(now)
        trailer = (f"Trace ID: {trace_id}", f"Correlation ID: {correlation_id}", f"Timestamp: {timestamp}")
        body: Dict[str, object] = {
            "error": self.error,
            "error_description": separator.join((str(self), *trailer)),
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"{base}/error?code={self.code}",
        }
        if self.suberror:
            body["suberror"] = self.suberror
        if self.claims:
            body["claims"] = self.claims
        return body


def aadsts(
    code: int,
    *,
    error: Optional[str] = None,
    suberror: Optional[str] = None,
    claims: Optional[str] = None,
    **fields: object,
) -> EntraError:
    """The error with this code, its text filled in with `fields`.

    :keyword error: the OAuth error code, where this grant has another than the usual one; the status is 400 then.
    :keyword suberror: what a client could do about it.
    :keyword claims: JSON text of the claims challenge to send with the next request.
    :raises KeyError: an unknown code, or a field that the text needs is missing.
    """
    kind = _KINDS[code]
    shown = {name: _one_line(value) for name, value in fields.items()}
    return EntraError(
        code,
        error or kind.error,
        400 if error else kind.status,
        kind.text.format(**shown).strip(),
        suberror=suberror,
        claims=claims,
    )


def explain(code: int) -> Optional[str]:
    """The text of a code with its blanks left open, for the help page; None if the code is unknown."""
    kind = _KINDS.get(code)
    return None if kind is None else f"AADSTS{code} ({kind.error}, HTTP {kind.status}): {kind.text}"


def entra_time(epoch: int) -> str:
    """`epoch` as Entra writes times in errors."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(epoch))


def _one_line(value: object) -> str:
    """A value of the request, made harmless for a message."""
    text = "".join(character if character.isprintable() else " " for character in str(value))
    return text if len(text) <= 200 else text[:200] + "..."
