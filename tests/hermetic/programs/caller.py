"""For the programs here: whom a web API that checks tokens takes their credential for."""

import requests

SCOPE = "api://entra-emulator/.default"
URL = "https://api.emulator.test/resource"


def show(credential, **options):
    """Call the API, and print who it says has called."""
    _call(credential.get_token(SCOPE, **options))


async def show_async(credential, **options):
    """The same for an async credential."""
    _call(await credential.get_token(SCOPE, **options))


def _call(token):
    answer = requests.get(URL, headers={"Authorization": f"Bearer {token.token}"}, timeout=10)
    answer.raise_for_status()
    who = answer.json()
    print(who.get("username") or who["appid"], "of", who["tid"])
