from azure.identity import DefaultAzureCredential
from caller import show

# Set subprocess timeout for CLI-based credentials (default: 10s)
credential = DefaultAzureCredential(process_timeout=30)
show(credential)
