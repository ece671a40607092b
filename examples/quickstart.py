"""A token by DefaultAzureCredential, and a call to a protected web API with it.

Runs anywhere `DefaultAzureCredential` finds a way to authenticate. `make demo` runs it against a local Entra ID.
"""

from __future__ import annotations

import os

from azure.core import PipelineClient
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest

from azure.identity import DefaultAzureCredential

url, scope = os.environ["DEMO_RESOURCE_URL"], os.environ["DEMO_RESOURCE_SCOPE"]

with DefaultAzureCredential() as credential:
    token = credential.get_token(scope)
    print(f"token     {token.token[:16]}... ({len(token.token)} characters), expires at {token.expires_on}")
    print(f"from      {type(credential.selected_credential).__name__}")

    with PipelineClient(url, policies=[BearerTokenCredentialPolicy(credential, scope)]) as client:
        response = client.send_request(HttpRequest("GET", url + "/orders/42"))
        response.raise_for_status()
        print(f"resource  HTTP {response.status_code}: {response.json()}")
