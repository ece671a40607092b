from azure.identity import DefaultAzureCredential
from caller import show

# The table of exclude parameters, with the defaults it has
credential = DefaultAzureCredential(
    exclude_environment_credential=False,
    exclude_workload_identity_credential=False,
    exclude_managed_identity_credential=False,
    exclude_shared_token_cache_credential=False,
    exclude_visual_studio_code_credential=False,
    exclude_cli_credential=False,
    exclude_powershell_credential=False,
    exclude_developer_cli_credential=False,
    exclude_interactive_browser_credential=True,
    exclude_broker_credential=False,
)
show(credential)
