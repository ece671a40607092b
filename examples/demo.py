"""What `make demo` runs: a local Entra ID, and the two quickstart programs against it.

The programs get nothing but environment variables, as they would on a build server or in a container.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jwt

from entra_emulator import EntraEmulator

HERE = Path(__file__).parent


def run(program: str, environment: dict[str, str]) -> int:
    """Run one of the examples and show what it prints."""
    print(f"\n$ python examples/{program}")
    began = time.perf_counter()
    status = subprocess.run([sys.executable, str(HERE / program)], env=environment, check=False).returncode
    print(f"          ({time.perf_counter() - began:.1f} s, start of Python included)")
    return status


def main() -> int:
    """Exit status: 0 when both programs succeeded with one token request each."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # keep the order when piped
    with EntraEmulator() as entra:
        variables = {
            **entra.environment(),
            "DEMO_RESOURCE_URL": entra.resource_url.rstrip("/"),
            "DEMO_RESOURCE_SCOPE": entra.resource_scope,
        }
        print(f"A local Entra ID is running at {entra.authority} (TLS, with a certificate authority of its own).")
        print("The programs below are given these variables:")
        for name, value in variables.items():
            print(f"  {name}={'***' if 'SECRET' in name else value}")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
        environment.update(variables)

        failed = 0
        for program in ("quickstart.py", "quickstart_async.py"):
            entra.requests.clear()
            failed += run(program, environment) != 0
            sent = [request for request in entra.requests if request.endpoint != "resource"]
            print(f"          {len(sent)} request to the authority, {entra.requests.count('resource')} to the resource")
            failed += len(sent) != 1

        print("\nWhat such a token says (decoded by a program that holds the public keys):")
        print(json.dumps(claims_of_a_token(entra), indent=2))
    print("\nDone." if not failed else f"\n{failed} checks failed.")
    return 1 if failed else 0


def claims_of_a_token(entra: EntraEmulator) -> dict[str, object]:
    """Get one more token in this process, and verify it as a web API would."""
    from azure.identity import ClientSecretCredential

    with ClientSecretCredential(
        entra.tenant.id,
        entra.app.client_id,
        entra.app.secret,
        authority=entra.authority,
        connection_verify=entra.ca_file,
    ) as credential:
        token = credential.get_token(entra.resource_scope).token
    import ssl

    keys = jwt.PyJWKClient(
        f"{entra.authority}/common/discovery/v2.0/keys", ssl_context=ssl.create_default_context(cafile=entra.ca_file)
    )
    audience = entra.resource_scope[: -len("/.default")]
    claims: dict[str, object] = jwt.decode(
        token, keys.get_signing_key_from_jwt(token), algorithms=["RS256"], audience=audience
    )
    return claims


if __name__ == "__main__":
    sys.exit(main())
