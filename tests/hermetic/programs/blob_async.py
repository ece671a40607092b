from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob.aio import BlobServiceClient

async def main():
    # Preferred: use async context manager for both credential and client
    async with DefaultAzureCredential() as credential:
        async with BlobServiceClient(
            account_url="https://<account>.blob.core.windows.net",
            credential=credential,
        ) as client:
            # ... async operations
            pass
            container = await client.create_container(uuid.uuid4().hex)
            await container.upload_blob("greeting.txt", b"good morning")
            blob = await container.download_blob("greeting.txt")
            print((await blob.readall()).decode())

import asyncio
import uuid

asyncio.run(main())
