from azure.identity import DefaultAzureCredential
from caller import show

# Exclude credentials you don't need
credential = DefaultAzureCredential(
    exclude_environment_credential=True,
    exclude_shared_token_cache_credential=True,
    managed_identity_client_id="<client-id>"  # For user-assigned MI (also accepts object ID or resource ID)
)
show(credential)

for other in ("<object-id>", "<resource-id>"):
    show(DefaultAzureCredential(
        exclude_environment_credential=True,
        exclude_shared_token_cache_credential=True,
        managed_identity_client_id=other,
    ))
