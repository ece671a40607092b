from azure.identity import ManagedIdentityCredential
from caller import show

# System-assigned managed identity
credential = ManagedIdentityCredential()
show(credential)

# User-assigned managed identity (client_id, object_id, or resource_id)
credential = ManagedIdentityCredential(
    client_id="<client-id>"
)
show(credential)
# Also valid:
credential = ManagedIdentityCredential(object_id="<object-id>")
show(credential)
credential = ManagedIdentityCredential(resource_id="<resource-id>")
show(credential)
