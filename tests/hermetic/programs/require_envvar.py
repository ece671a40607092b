from azure.identity import DefaultAzureCredential
from caller import show

# Require AZURE_TOKEN_CREDENTIALS env var to be set
credential = DefaultAzureCredential(require_envvar=True)
show(credential)
