"""Microsoft's own apps for developers, which every tenant knows and nobody is asked about."""

from __future__ import annotations

from typing import List

from .directory import App

_MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
"""The tenant of Microsoft's own apps ("Verify first-party Microsoft applications in sign-in reports")."""

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""What programs sign in as that name no app of their own."""
AZURE_POWERSHELL = "1950a258-227b-4e31-a9cf-717495945fc2"
VISUAL_STUDIO_CODE = "aebc6443-996d-45c2-90f0-388ff96faa56"


def first_party_apps() -> List[App]:
    """Public clients with the redirect URI `http://localhost`. The first two share refresh tokens."""
    return [
        _app(AZURE_CLI, "Microsoft Azure CLI", "1"),
        _app(AZURE_POWERSHELL, "Microsoft Azure PowerShell", "1"),
        _app(VISUAL_STUDIO_CODE, "Visual Studio Code"),
    ]


def _app(client_id: str, name: str, family: str = "") -> App:
    return App(
        client_id,
        _MICROSOFT,
        name,
        multi_tenant=True,
        public=True,
        redirect_uris=("http://localhost",),
        family=family,
        consented=True,
    )
