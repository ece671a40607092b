from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient

# Works in local dev AND production without code changes
credential = DefaultAzureCredential()

client = BlobServiceClient(
    account_url="https://<account>.blob.core.windows.net",
    credential=credential
)

import uuid

container = client.create_container(uuid.uuid4().hex)
container.upload_blob("greeting.txt", b"good morning")
print(container.download_blob("greeting.txt").readall().decode())
