from azure.identity import AzureCliCredential
from caller import show

credential = AzureCliCredential()
show(credential)

# With tenant restriction
credential = AzureCliCredential(tenant_id="<tenant-id>")
show(credential)
