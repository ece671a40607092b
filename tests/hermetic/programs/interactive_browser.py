from azure.identity import InteractiveBrowserCredential
from caller import show

credential = InteractiveBrowserCredential()
show(credential)

# With specific tenant and client
credential = InteractiveBrowserCredential(
    tenant_id="<tenant-id>",
    client_id="<client-id>",
)
show(credential)
