from azure.identity import DefaultAzureCredential
from caller import show

show(DefaultAzureCredential())
