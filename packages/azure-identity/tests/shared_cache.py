"""Documents in MSAL's unified schema, as developer tools write them: for tests that read one."""

from __future__ import annotations

import json
from typing import Any

from leak_watch import planted

DEVELOPER_CLIENT = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
HOST = "login.microsoftonline.com"
TENANT = "7d3c1b2a-4e5f-4a6b-8c9d-0e1f2a3b4c5d"
SCOPE = "https://vault.azure.net/.default"


def account(username: str = "ada@contoso.com", uid: str = "ada", tenant: str = TENANT, **changed: Any) -> Any:
    """An entry of the section Account."""
    entry = {
        "home_account_id": f"{uid}.{tenant}",
        "environment": HOST,
        "realm": tenant,
        "local_account_id": uid,
        "username": username,
        "authority_type": "MSSTS",
        "account_source": "authorization_code",
    }
    return "Account", {**entry, **changed}


def refresh_token(name: str = "rt", uid: str = "ada", tenant: str = TENANT, **changed: Any) -> Any:
    """An entry of the section RefreshToken, by default of the family of Microsoft's developer tools."""
    entry = {
        "credential_type": "RefreshToken",
        "secret": planted(name),
        "home_account_id": f"{uid}.{tenant}",
        "environment": HOST,
        "client_id": DEVELOPER_CLIENT,
        "target": SCOPE,
        "last_modification_time": "1799999000",
        "family_id": "1",
    }
    return "RefreshToken", {**entry, **changed}


def access_token(
    name: str = "at", uid: str = "ada", tenant: str = TENANT, expires_on: Any = "1800003600", **changed: Any
) -> Any:
    """An entry of the section AccessToken."""
    entry = {
        "credential_type": "AccessToken",
        "secret": planted(name),
        "home_account_id": f"{uid}.{tenant}",
        "environment": HOST,
        "client_id": DEVELOPER_CLIENT,
        "target": SCOPE,
        "realm": tenant,
        "token_type": "Bearer",
        "cached_at": "1800000000",
        "expires_on": expires_on,
        "extended_expires_on": expires_on,
    }
    return "AccessToken", {**entry, **changed}


def document(*entries: Any, **sections: Any) -> str:
    """The JSON of a document with these entries. Keys are what nobody parses."""
    found: dict[str, Any] = {}
    for number, (section, entry) in enumerate(entries):
        found.setdefault(section, {})[f"key-{number}"] = entry
    return json.dumps({**found, **sections})
