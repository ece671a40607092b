import asyncio

from azure.identity.aio import ManagedIdentityCredential
from caller import show_async

async def main():
    # System-assigned managed identity
    async with ManagedIdentityCredential() as credential:
        await show_async(credential)

    # User-assigned managed identity (client_id, object_id, or resource_id)
    async with ManagedIdentityCredential(
        client_id="<client-id>"
    ) as credential:
        await show_async(credential)
    # Also valid:
    async with ManagedIdentityCredential(object_id="<object-id>") as credential:
        await show_async(credential)
    async with ManagedIdentityCredential(resource_id="<resource-id>") as credential:
        await show_async(credential)

asyncio.run(main())
