"""Authorization requests: what a program asks the person's browser to bring back (RFC 6749, section 4.1.1).

Read in two steps, because they fail differently. Who asks and where the answer goes comes first: until that is certain,
errors are shown to the person, never sent anywhere (RFC 6749, section 4.1.2.1). Everything after it is the program's
business, and goes to its redirect URI.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping
from urllib.parse import urlencode, urlsplit

from ..directory.directory import App
from ..tokens.claims_requests import parse_claims_request
from ..values.errors import EntraError, aadsts
from .permissions import Wanted

RESPONSE_MODES = ("query", "fragment", "form_post")
"""OAuth 2.0 Multiple Response Type Encoding Practices; OAuth 2.0 Form Post Response Mode."""
PROMPTS = ("", "login", "none", "consent", "select_account")

_LOOPBACK = ("localhost", "127.0.0.1")
# Schemes that run code or read files in a browser never become redirect targets, registered or not.
_NEVER = ("javascript", "data", "vbscript", "file", "about", "blob")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")


@dataclass(frozen=True)
class ReplyTo:
    """Where the answer goes. Everything in it has been checked."""

    app: App
    redirect_uri: str
    response_mode: str
    state: str = field(repr=False)

    def with_error(self, error: EntraError, description: str) -> Dict[str, str]:
        """The fields of a refusal. :param description: the text with its trailing ids."""
        fields = {"error": error.error, "error_description": description, "state": self.state}
        if error.suberror:
            fields["suberror"] = error.suberror
        if error.claims:
            fields["claims"] = error.claims
        if not self.state:
            del fields["state"]
        return fields


@dataclass(frozen=True)
class AuthorizationRequest:
    """What is asked for."""

    reply_to: ReplyTo
    tenant_name: str
    version: int
    wanted: Wanted
    prompt: str = ""
    login_hint: str = ""
    nonce: str = ""
    challenge: str = ""
    requested_claims: Mapping[str, Any] = field(default_factory=dict)
    client_info: bool = False


def read_reply_to(fields: Mapping[str, str], app: App) -> ReplyTo:
    """Where the answer to a request of `app` goes.

    :raises EntraError: AADSTS50011, 500113; never to be sent anywhere.
    """
    uri = fields.get("redirect_uri", "")
    if not app.redirect_uris:
        raise aadsts(500113, client_id=app.client_id)
    if not uri and len(app.redirect_uris) == 1:
        uri = app.redirect_uris[0]
    if not any(redirect_uri_matches(registered, uri) for registered in app.redirect_uris):
        raise aadsts(50011, uri=uri, client_id=app.client_id)
    mode = fields.get("response_mode", "") or "query"
    return ReplyTo(app, uri, mode if mode in RESPONSE_MODES else "query", fields.get("state", ""))


def read_request(
    fields: Mapping[str, str],
    reply_to: ReplyTo,
    tenant_name: str,
    version: int,
    parse_scope: Callable[[str], Wanted],
    whole_resource: Callable[[str], Wanted],
) -> AuthorizationRequest:
    """The rest of the request.

    :param parse_scope: understands `scope`.
    :param whole_resource: understands the v1 endpoint's `resource`.
    :raises EntraError: to be sent to the redirect URI.
    """
    response_type = fields.get("response_type", "")
    if not response_type:
        raise aadsts(900144, name="response_type")
    if response_type != "code":
        raise aadsts(700054, type=response_type)
    mode = fields.get("response_mode", "")
    if mode and mode not in RESPONSE_MODES:
        raise aadsts(70007, mode=mode)
    prompt = fields.get("prompt", "")
    if prompt not in PROMPTS:
        raise aadsts(90023, reason=f"The value '{prompt}' of 'prompt' is not supported.")
    challenge = _challenge(fields, reply_to.app)
    requested = parse_claims_request(fields.get("claims", ""))
    if version == 1:
        if not fields.get("resource"):
            raise aadsts(90014, name="resource")
        wanted = whole_resource(fields["resource"])
    else:
        if fields.get("resource"):
            raise aadsts(901002)
        wanted = parse_scope(fields.get("scope", ""))
    return AuthorizationRequest(
        reply_to,
        tenant_name,
        version,
        wanted,
        prompt,
        fields.get("login_hint", ""),
        fields.get("nonce", ""),
        challenge,
        requested,
        fields.get("client_info", "") == "1",
    )


def _challenge(fields: Mapping[str, str], app: App) -> str:
    """The PKCE challenge. Public clients need one (RFC 9700, section 2.1.1), and `plain` is refused."""
    challenge, method = fields.get("code_challenge", ""), fields.get("code_challenge_method", "")
    if not challenge:
        if app.public:
            raise aadsts(9002325, client_id=app.client_id, reason="Send 'code_challenge'.")
        if method:
            raise aadsts(50149, reason="There is a method, but no challenge.")
        return ""
    if method != "S256":
        raise aadsts(50149, reason=f"Expected the method 'S256', got '{method or 'plain'}'.")
    if not _CHALLENGE.match(challenge):
        raise aadsts(50149, reason="Expected 43 characters of base64url, the SHA-256 of the verifier.")
    return challenge


def redirect_uri_matches(registered: str, given: str) -> bool:
    """Whether `given` is the registered redirect URI.

    Exactly the same text; but on this machine's own names the port does not matter, since programs listen where there
    is a free one (RFC 8252, section 7.3; "Redirect URI (reply URL) restrictions and limitations").
    """
    try:
        mine, theirs = urlsplit(registered), urlsplit(given)
        host, port = theirs.hostname, theirs.port
    except ValueError:
        return False
    if any(character <= " " or character == "\x7f" for character in given):
        return False
    if not theirs.scheme or theirs.scheme.lower() in _NEVER or theirs.fragment or "#" in given or "\\" in given:
        return False
    if given == registered:
        return True
    if host not in _LOOPBACK or theirs.username is not None or theirs.password is not None:
        return False
    return (mine.scheme, mine.hostname, mine.path or "/", mine.query) == (
        theirs.scheme,
        host,
        theirs.path or "/",
        theirs.query,
    ) and (port is None or port > 0)


def redirect_location(reply_to: ReplyTo, fields: Mapping[str, str]) -> str:
    """The URL that carries `fields` to the program, by query or by fragment."""
    if reply_to.response_mode == "fragment":
        return f"{reply_to.redirect_uri}#{urlencode(fields)}"
    joint = "&" if urlsplit(reply_to.redirect_uri).query else "?"
    return f"{reply_to.redirect_uri}{joint}{urlencode(fields)}"


def form_action_source(uri: str) -> str:
    """What a Content-Security-Policy calls the redirect URI's place, so that forms may lead there."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc}"
