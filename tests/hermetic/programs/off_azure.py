import json
import time

from azure.identity import CredentialUnavailableError, DefaultAzureCredential

def attempt(credential):
    """Seconds until the chain has been gone through in vain."""
    began = time.perf_counter()
    try:
        credential.get_token("https://management.azure.com/.default")
    except CredentialUnavailableError:
        return time.perf_counter() - began
    raise SystemExit("there was a token")

credential = DefaultAzureCredential()
first = attempt(credential)
# The fastest of some, since the machine may be busy with other things.
again = min(attempt(credential) for _ in range(5))
another = min(attempt(DefaultAzureCredential()) for _ in range(5))
print(json.dumps({"first": first, "again": again, "another": another}))
