import asyncio

from azure.storage.blob.aio import BlobServiceClient

from azure.identity.aio import DefaultAzureCredential


async def main():
    # Preferred: use async context manager for both credential and client
    async with DefaultAzureCredential() as credential:
        async with BlobServiceClient(
            account_url="https://devstoreaccount1.blob.core.windows.net",
            credential=credential,
        ) as client:
            container = await client.create_container("aio")
            await container.upload_blob("greeting.txt", b"good morning")
            blob = await container.download_blob("greeting.txt")
            print((await blob.readall()).decode())


asyncio.run(main())
