"""The async twin of quickstart.py."""

from __future__ import annotations

import asyncio
import os

from azure.core import AsyncPipelineClient
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy
from azure.core.rest import HttpRequest

from azure.identity.aio import DefaultAzureCredential


async def main() -> None:
    url, scope = os.environ["DEMO_RESOURCE_URL"], os.environ["DEMO_RESOURCE_SCOPE"]

    async with DefaultAzureCredential() as credential:
        token = await credential.get_token(scope)
        print(f"token     {token.token[:16]}... ({len(token.token)} characters), expires at {token.expires_on}")
        print(f"from      {type(credential.selected_credential).__name__}")

        async with AsyncPipelineClient(url, policies=[AsyncBearerTokenCredentialPolicy(credential, scope)]) as client:
            response = await client.send_request(HttpRequest("GET", url + "/orders/42"))
            response.raise_for_status()
            print(f"resource  HTTP {response.status_code}: {response.json()}")


asyncio.run(main())
