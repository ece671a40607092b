"""The host names of the cloud here, and the loopback addresses they lead to."""

from __future__ import annotations

from hermetic.vault import HOST as VAULT
from partners.azurite import ACCOUNT

AUTHORITY = "login.microsoftonline.com"
SOVEREIGN = ("login.microsoftonline.us", "login.chinacloudapi.cn")
"""The authorities of Azure Government and of Azure in China."""
OTHER_AUTHORITY = "login.emulator.test"
"""A host that Microsoft's list does not have: clients must ask the default authority about it."""
STORAGE = f"{ACCOUNT}.blob.core.windows.net"
RESOURCE_NAME = "my-resource"
OPENAI = f"{RESOURCE_NAME}.openai.azure.com"
API = "api.emulator.test"
"""A web API that checks tokens, and says whose they are."""
AZURE_DEVOPS = "dev.azure.com"

ADDRESSES = {
    "127.0.0.1": (AUTHORITY, *SOVEREIGN, OTHER_AUTHORITY, OPENAI, API),
    "127.0.0.2": (STORAGE,),
    "127.0.0.3": (VAULT,),
    "127.0.0.4": (AZURE_DEVOPS,),
}
