"""The record of who is signed in that Visual Studio Code's Azure Resources extension keeps."""

from __future__ import annotations

from typing import Any

from .._constants import VSCODE_CLIENT_ID
from .._values.record import AuthenticationRecord
from .entra import json_object
from .tenants import validate_tenant

PLACES = (
    "~/.azure/ms-azuretools.vscode-azureresourcegroups/authRecord.json",
    "~/.Azure/ms-azuretools.vscode-azureresourcegroups/authRecord.json",
)
LIMIT = 10_240
"""Bytes. A record takes some 300."""


def parse_record(content: bytes) -> AuthenticationRecord:
    """The account in the record's file.

    :raises ValueError: it is not what the extension writes; the text lists every problem.
    """
    document: Any = json_object(content)
    if document is None:
        raise ValueError("Authentication record validation failed: the file is not a JSON object")
    problems = []
    names = ("tenantId", "clientId", "authority", "homeAccountId", "username")
    for name in names:
        if not isinstance(document.get(name), str) or not document[name]:
            problems.append(f"'{name}' is missing or not a string")
    tenant, client = document.get("tenantId"), document.get("clientId")
    if isinstance(tenant, str) and tenant:
        try:
            validate_tenant(tenant, "'tenantId'")
        except ValueError:
            problems.append("'tenantId' is not a tenant id")
    if isinstance(client, str) and client and client != VSCODE_CLIENT_ID:
        # A record of another application would have this one's tokens issued to it.
        problems.append(f"'clientId' must be {VSCODE_CLIENT_ID}, that of Visual Studio Code")
    if problems:
        raise ValueError("Authentication record validation failed: " + "; ".join(problems))
    return AuthenticationRecord(*(document[name] for name in names))
