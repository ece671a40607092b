"""A client of the emulator's protected API, made of azure-core's own parts."""

from __future__ import annotations

from typing import Any

from azure.core import AsyncPipelineClient, PipelineClient
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest
from worlds import World

from entra_emulator import EntraEmulator


def get(world: World, entra: EntraEmulator, credential: Any, times: int = 1, **options: Any) -> list[Any]:
    """Answers of the protected API to an azure-core client with this credential."""
    transport = world.transport(connection_verify=entra.ca_file)
    url = entra.resource_url
    if world.name == "sync":
        policy = BearerTokenCredentialPolicy(credential, entra.resource_scope, **options)
        with PipelineClient(url, policies=[policy], transport=transport) as client:
            return [client.send_request(HttpRequest("GET", url)) for _ in range(times)]

    async def ask() -> list[Any]:
        policy = AsyncBearerTokenCredentialPolicy(credential, entra.resource_scope, **options)
        async with AsyncPipelineClient(url, policies=[policy], transport=transport) as client:
            return [await client.send_request(HttpRequest("GET", url)) for _ in range(times)]

    return world.run(ask())
