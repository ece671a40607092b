import asyncio
import json
import time

from azure.identity import CredentialUnavailableError
from azure.identity.aio import DefaultAzureCredential

async def attempt(credential):
    """Seconds until the chain has been gone through in vain."""
    began = time.perf_counter()
    try:
        await credential.get_token("https://management.azure.com/.default")
    except CredentialUnavailableError:
        return time.perf_counter() - began
    raise SystemExit("there was a token")

async def main():
    async with DefaultAzureCredential() as credential:
        first = await attempt(credential)
        # The fastest of some, since the machine may be busy with other things.
        again = min([await attempt(credential) for _ in range(5)])
    async with DefaultAzureCredential() as credential:
        another = min([await attempt(credential) for _ in range(5)])
    print(json.dumps({"first": first, "again": again, "another": another}))

asyncio.run(main())
