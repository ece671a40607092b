from azure.keyvault.secrets import SecretClient

from azure.identity import DefaultAzureCredential

client = SecretClient(vault_url="https://my-vault.vault.azure.net", credential=DefaultAzureCredential())
print(client.get_secret("greeting").value)
