from azure.identity import DefaultAzureCredential
from caller import show

# Enable interactive browser (disabled by default)
credential = DefaultAzureCredential(
    exclude_interactive_browser_credential=False
)
show(credential)
