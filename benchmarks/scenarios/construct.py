"""What constructors cost: `construct.py sync|aio default|secret|on-behalf-of|certificate`."""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from typing import Any, Callable

from benchmarks.scenarios.support import OPTIONS, identity, report, secret_credential, server

BEFORE = 9
"""Constructions before those that are measured: the first ones load modules."""
MEASURED = 100
KEPT = 500
"""Credentials kept at a time to see what each one holds."""


def certificate(face: str) -> Any:
    who = server()
    return identity(face).CertificateCredential(
        who["tenant"], who["client_id"], who["certificate"], authority=who["authority"], **OPTIONS
    )


def on_behalf_of(face: str) -> Any:
    who = server()
    return identity(face).OnBehalfOfCredential(
        who["tenant"],
        who["client_id"],
        client_secret=who["secret"],
        user_assertion="a-users-token",
        authority=who["authority"],
        **OPTIONS,
    )


def construction(make: Callable[[], Any], measured: int) -> list[float]:
    """Seconds of each construction. Credentials are kept, so that no destructor runs in between."""
    kept = []
    taken = []
    for _ in range(measured):
        started = time.perf_counter()
        kept.append(make())
        taken.append(time.perf_counter() - started)
    return taken


def memory(make: Callable[[], Any]) -> float:
    """Bytes that each new credential holds."""
    make()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [make() for _ in range(KEPT)]
    held = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    tracemalloc.stop()
    return held


def main() -> None:
    face, kind = sys.argv[1:3]
    if kind == "certificate":
        first, *others = construction(lambda: certificate(face), 6)
        report(first_ms=first * 1000, again_ms=statistics.median(others) * 1000)
        return
    make: Callable[[], Any] = {
        "default": lambda: identity(face).DefaultAzureCredential(),
        "secret": lambda: secret_credential(face),
        "on-behalf-of": lambda: on_behalf_of(face),
    }[kind]
    construction(make, BEFORE)
    report(construct_us=statistics.median(construction(make, MEASURED)) * 1e6, kept_kb=memory(make) / 1000)


if __name__ == "__main__":
    main()
