from azure.identity import OnBehalfOfCredential
from caller import show

credential = OnBehalfOfCredential(
    tenant_id="<tenant-id>",
    client_id="<client-id>",
    client_secret="<client-secret>",
    user_assertion="<incoming-user-jwt>",
)
show(credential)
