from azure.storage.blob import BlobServiceClient

from azure.identity import DefaultAzureCredential

# Works in local dev AND production without code changes
credential = DefaultAzureCredential()

client = BlobServiceClient(
    account_url="https://devstoreaccount1.blob.core.windows.net",
    credential=credential,
)

container = client.create_container("sync")
container.upload_blob("greeting.txt", b"good morning")
print(container.download_blob("greeting.txt").readall().decode())
