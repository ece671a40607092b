"""A cold process that gets one token and ends: `first_token.py sync|aio|floor-sync|floor-aio`.

The runner measures the whole process. The floors do the same by hand on azure-core.
"""

from __future__ import annotations

import sys

from benchmarks.scenarios.by_hand import azure_core_token, azure_core_token_async
from benchmarks.scenarios.support import SCOPE, secret_credential


async def first_token() -> str:
    async with secret_credential("aio") as credential:
        return str((await credential.get_token(SCOPE)).token)


def main() -> None:
    kind = sys.argv[1]
    if kind == "sync":
        token = secret_credential("sync").get_token(SCOPE).token
    elif kind == "floor-sync":
        token = azure_core_token()
    else:
        import asyncio

        token = asyncio.run(first_token() if kind == "aio" else azure_core_token_async())
    assert token.count(".") == 2
    print("{}")


if __name__ == "__main__":
    main()
