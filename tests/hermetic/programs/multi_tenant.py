from azure.identity import ClientSecretCredential
from caller import show

credential = ClientSecretCredential(
    tenant_id="<tenant-id>",
    client_id="<client-id>",
    client_secret="<client-secret>",
    additionally_allowed_tenants=["<other-tenant-id>", "*"],  # "*" allows any tenant
)
show(credential)
show(credential, tenant_id="<other-tenant-id>")
