"""People in scripts: what the authority says when one has signed in, in which way a credential asks them."""

from __future__ import annotations

import base64
import json
from typing import Any, Callable, Mapping, NamedTuple, Optional
from urllib.parse import parse_qs, urlsplit

from leak_watch import planted
from scripted import Listener, ScriptedIO, reply

from azure.identity._values.messages import Response

TENANT = "tid"
CODE = planted("authorization-code")
DEVICE_CODE = planted("device-code")
URI = "https://microsoft.com/devicelogin"


class Person(NamedTuple):
    """Somebody with an account."""

    name: str

    @property
    def home_account_id(self) -> str:
        return f"{self.name}-uid.{TENANT}"

    @property
    def username(self) -> str:
        return f"{self.name}@contoso.com"

    def token(self, access_token: str = "T1", refresh_token: Optional[str] = "R1", **members: Any) -> Response:
        """The answer of the token endpoint when the token is theirs. A refresh token is given by its name."""
        claims = {
            "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
            "tid": TENANT,
            "sub": f"{self.name}-sub",
            "preferred_username": self.username,
        }
        body = {
            "token_type": "Bearer",
            "access_token": access_token,
            "expires_in": 3599,
            "client_info": encoded({"uid": f"{self.name}-uid", "utid": TENANT}),
            "id_token": f"{encoded({'alg': 'none'})}.{encoded(claims)}.s",
        }
        if refresh_token is not None:
            body["refresh_token"] = secret(refresh_token)
        return reply(200, {name: value for name, value in {**body, **members}.items() if value is not None})


ADA, BOB = Person("ada"), Person("bob")


def secret(name: str) -> str:
    """The text of the refresh token of this name."""
    return planted(f"refresh-token-{name}")


def encoded(document: Any) -> str:
    """Base64url of JSON, without padding."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def comes_back(listener: Listener) -> Mapping[str, str]:
    """What the browser brings when the person has signed in."""
    return {"state": listener.state, "code": CODE}


def answering(io: ScriptedIO, answer: Any) -> Callable[[Any], Any]:
    """The answer to the sign-in the browser was opened for last: its id token has that one's nonce."""

    def reply_to(request: Any) -> Any:
        found = answer(request) if callable(answer) else answer
        body = json.loads(found.body) if isinstance(found, Response) and found.body[:1] == b"{" else {}
        if "id_token" not in body:
            return found
        header, payload, signature = body["id_token"].split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        claims["nonce"] = parse_qs(urlsplit(io.opened_urls[-1]).query)["nonce"][0]
        body["id_token"] = f"{header}.{encoded(claims)}.{signature}"
        return found._replace(body=json.dumps(body).encode())

    return reply_to


def device_code(interval: Any = 5, expires_in: Any = 900, **more: Any) -> Response:
    """The answer to a request for a device code (RFC 8628, section 3.2)."""
    body = {"device_code": DEVICE_CODE, "user_code": "ABCD", "verification_uri": URI, "message": f"Go to {URI}."}
    return reply(200, {**body, "interval": interval, "expires_in": expires_in, **more})


class Way(NamedTuple):
    """A way to ask a person: how the credential is made, and what the script says until the token request."""

    name: str
    make: Callable[..., Any]
    """Given the package and keywords."""
    prompt: Callable[[], tuple[Any, ...]]
    answer: Callable[[ScriptedIO, Any], Any]
    """What of the token endpoint's answer depends on the prompt."""
    prompts: Callable[[ScriptedIO], int]
    """How often the person was asked."""
    claims: Callable[[ScriptedIO], Optional[str]]
    """The claims of the last sign-in."""


def _claims_in_url(io: ScriptedIO) -> Optional[str]:
    return parse_qs(urlsplit(io.opened_urls[-1]).query).get("claims", [None])[0]


def _claims_in_request(io: ScriptedIO) -> Optional[str]:
    return [dict(r.form or {}) for r in io.requests if r.url.endswith("/devicecode")][-1].get("claims")


WAYS = (
    Way(
        "browser",
        lambda package, **options: package.InteractiveBrowserCredential(**options),
        lambda: (comes_back,),
        answering,
        lambda io: len(io.opened_urls),
        _claims_in_url,
    ),
    Way(
        "device code",
        lambda package, **options: package.DeviceCodeCredential(prompt_callback=lambda *said: None, **options),
        lambda: (device_code(),),
        lambda io, answer: answer,
        lambda io: sum(request.url.endswith("/devicecode") for request in io.requests),
        _claims_in_request,
    ),
)
