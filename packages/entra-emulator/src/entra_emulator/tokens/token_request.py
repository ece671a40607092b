"""A request to a token endpoint, as the grants see it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

from ..values.errors import aadsts

Credentials = Tuple[str, str]


@dataclass(frozen=True)
class TokenRequest:
    """The form of a token request and where it was sent to."""

    tenant_name: str
    """The tenant segment of the URL."""
    version: int
    """1 for `/oauth2/token`, 2 for `/oauth2/v2.0/token`."""
    form: Mapping[str, str] = field(repr=False)
    basic: Optional[Credentials] = field(default=None, repr=False)
    """Client id and secret of an Authorization header (RFC 6749, section 2.3.1)."""
    base: str = "https://localhost"
    """`scheme://host` as the client has addressed it."""
    host_header: str = "localhost"
    region: Optional[str] = None

    def get(self, name: str) -> str:
        """The parameter `name`, or an empty string: a parameter without a value counts as omitted (RFC 6749, 3.2)."""
        return self.form.get(name, "")

    def required(self, name: str) -> str:
        """The parameter `name`. :raises EntraError: AADSTS900144, it is missing."""
        value = self.get(name)
        if not value:
            raise aadsts(900144, name=name)
        return value

    @property
    def client_id(self) -> str:
        """The client id of the form or the Authorization header. :raises EntraError: AADSTS900144, there is none."""
        if self.basic and not self.get("client_id"):
            return self.basic[0]
        return self.required("client_id")

    @property
    def endpoint(self) -> str:
        """The URL of this token endpoint, as the client has addressed it."""
        return f"{self.base}{token_path(self.tenant_name, self.version)}"

    def capabilities(self) -> Tuple[str, ...]:
        """The client capabilities in the `claims` parameter, such as CP1 ("can handle claims challenges").

        "How to use Continuous Access Evaluation enabled APIs in your applications": values are case-insensitive.

        :raises EntraError: AADSTS9000410, `claims` is not a JSON object.
        """
        text = self.get("claims")
        if not text:
            return ()
        try:
            claims = json.loads(text)
        except ValueError:
            claims = None
        if not isinstance(claims, dict):
            raise aadsts(9000410, name="claims")
        values = _member(_member(claims, "access_token"), "xms_cc").get("values")
        if not isinstance(values, list):
            return ()
        known = {value.upper() for value in values if isinstance(value, str)}
        return ("CP1",) if "CP1" in known else ()


def token_path(tenant: str, version: int) -> str:
    """The path of a tenant's token endpoint."""
    return f"/{tenant}/oauth2/v2.0/token" if version == 2 else f"/{tenant}/oauth2/token"


def _member(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    member = value.get(name)
    return member if isinstance(member, dict) else {}
