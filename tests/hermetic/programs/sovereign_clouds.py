from azure.identity import DefaultAzureCredential, AzureAuthorityHosts
from caller import show

# Azure Government
credential = DefaultAzureCredential(authority=AzureAuthorityHosts.AZURE_GOVERNMENT)
show(credential)

# Azure China
credential = DefaultAzureCredential(authority=AzureAuthorityHosts.AZURE_CHINA)
show(credential)
