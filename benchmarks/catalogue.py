"""What is measured and what we owe: every scenario, its rows in the table, and their targets.

A scenario is one program (scenarios/) run the same way on both sides. To add one, add a row here; a scenario whose
credentials our package does not have yet is listed as such and not run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

WALL = 1.4
"""A ratio of wall times below this is this kind of machine's noise."""
CPU = 1.25
"""The same for CPU times."""
EXACT = 1.0
"""Counts and sizes have no noise."""


@dataclass(frozen=True)
class AtMost:
    """Ours does not exceed a figure."""

    limit: float


@dataclass(frozen=True)
class Times:
    """Ours is better than the published by a factor."""

    factor: float


@dataclass(frozen=True)
class OfFloor:
    """Ours does not exceed the floor times a factor."""

    factor: float


Target = Union[AtMost, Times, OfFloor]


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    label: str
    metric: str
    """A member of what the program reports, or one the runner adds: `wall_ms` and `cpu_ms` of the whole process,
    `token_requests`, `discovery_requests`, `all_requests`, `connections` since the server's counts were last
    cleared."""
    unit: str
    noise: float
    """WALL, CPU or EXACT: the ratio from which on a difference counts."""
    targets: tuple[Target, ...] = ()
    more_is_better: bool = False


@dataclass(frozen=True)
class Scenario:
    """One program with its arguments."""

    name: str
    """For `--only`: a prefix is enough."""
    program: str
    arguments: tuple[str, ...]
    rows: tuple[Row, ...]
    floor: Optional[tuple[str, ...]] = None
    """Arguments that make the program do the same by hand."""
    published: Optional[tuple[str, ...]] = None
    """Arguments for the published side where it is too slow for the others: fewer of the same. Rows are then rates."""
    runs: int = 7
    quick_runs: int = 1
    """0: not part of a quick run."""
    network: bool = False
    """Whether requests are made, and counted."""
    latency: float = 0.0
    """Seconds the server takes for a token, besides its work."""
    lifetime: int = 3600
    """Seconds tokens live."""
    isolated: bool = False
    """Whether the program must run where nothing can be reached, with the metadata address on its loopback
    interface."""
    needs: tuple[str, ...] = ()
    """Public names, `aio.` first for the async ones."""


def _import(name: str, label: str, arguments: tuple[str, ...], *targets: Target) -> Scenario:
    rows: tuple[Row, ...] = (Row(f"{label}: CPU", "import_ms", "ms", CPU, targets),)
    if "loaded" not in arguments:
        rows += (
            Row(f"{label}: modules", "modules", "", EXACT),
            Row(f"{label}: azure.core loaded", "azure_core", "", EXACT, (AtMost(0),)),
        )
    floor = None if "loaded" in arguments else ("floor",)
    return Scenario(name, "imports", arguments, rows, floor=floor, runs=11, quick_runs=3)


def _construct(name: str, label: str, face: str, kind: str, need: str, limit: float, *targets: Target) -> Scenario:
    rows: tuple[Row, ...] = (Row(f"{label}: time", "construct_us", "µs", WALL, (AtMost(limit), *targets)),)
    if kind != "default":
        rows += (Row(f"{label}: memory kept", "kept_kb", "kB", EXACT, (AtMost(3),)),)
    return Scenario(name, "construct", (face, kind), rows, needs=(need,))


def _cached(
    face: str, kind: str, entries: int, limit: float, *, runs: int = 5, quick_runs: int = 1, miss: bool = False
) -> Scenario:
    names = {"secret": "get_token", "default": "get_token through the default chain", "provider": "token provider"}
    names["managed"] = "managed-identity token"
    many = f"{entries:,} entr{'y' if entries == 1 else 'ies'}"
    rows: tuple[Row, ...] = (Row(f"cached {names[kind]}, {many}, {face}", "hit_us", "µs", CPU, (AtMost(limit),)),)
    if miss:
        rows += (Row(f"new token, client's share, {many}, {face}", "miss_ms", "ms", CPU, (AtMost(0.5),)),)
    needed = {"default": "DefaultAzureCredential", "managed": "ManagedIdentityCredential"}.get(
        kind, "ClientSecretCredential"
    )
    return Scenario(
        f"cached-{kind}-{face}-{entries}",
        "cached",
        (face, kind, str(entries)),
        rows,
        floor=(f"floor-{face}", kind, str(entries)),
        runs=runs,
        quick_runs=quick_runs,
        needs=(f"aio.{needed}" if face == "aio" else needed,),
    )


def _crowd(
    name: str, label: str, kind: str, count: int, p50: Optional[float], p99: Optional[float], aio: bool
) -> Scenario:
    rows = (
        Row(f"{label}: token requests", "token_requests", "", EXACT, (AtMost(1),)),
        Row(f"{label}: discovery requests", "discovery_requests", "", EXACT, (AtMost(0),)),
        Row(f"{label}: p50", "p50_ms", "ms", WALL, () if p50 is None else (AtMost(p50),)),
        Row(f"{label}: p99", "p99_ms", "ms", WALL, () if p99 is None else (AtMost(p99),)),
    )
    return Scenario(
        name,
        "crowd",
        (kind, str(count)),
        rows,
        floor=None if kind == "renewal" else (f"floor-{kind}", str(count)),
        runs=5,
        network=True,
        latency=0.1,
        lifetime=7200 if kind == "renewal" else 3600,
        needs=("aio.ClientSecretCredential" if aio else "ClientSecretCredential",),
    )


def _tenants(kind: str, workers: int, count: int, proof: str = "secret", *, times: Optional[float] = None) -> Scenario:
    label = f"{count:,} tenants, {workers} {kind}, {proof}"
    long = count > 1000
    need = "CertificateCredential" if proof == "certificate" else "ClientSecretCredential"
    return Scenario(
        f"tenants-{kind}-{proof}-{count}",
        "tenants",
        (kind, str(workers), str(count), proof),
        (
            Row(f"{label}: tokens/s", "per_second", "/s", WALL, (Times(times),) if times else (), more_is_better=True),
            Row(f"{label}: client CPU per token", "cpu_ms_each", "ms", CPU),
            Row(f"{label}: requests per token", "requests_each", "", EXACT, (AtMost(1),)),
            Row(f"{label}: connections", "connections", "", EXACT),
        ),
        floor=(f"floor-{kind}", str(workers), str(count)) if proof == "secret" else None,
        runs=3 if long else 5,
        quick_runs=0 if long else 1,
        network=True,
        needs=(f"aio.{need}" if kind == "tasks" else need,),
    )


def _on_behalf_of(
    name: str,
    kind: str,
    workers: int,
    users: int,
    published: int,
    proof: str = "secret",
    *,
    times: Optional[float] = None,
    quick_runs: int = 0,
) -> Scenario:
    arguments = (kind, str(workers))
    label = f"on-behalf-of, {users:,} users, {workers} {kind if workers > 1 else kind[:-1]}, {proof}"
    return Scenario(
        name,
        "on_behalf_of",
        (*arguments, str(users), proof),
        (
            Row(f"{label}: users/s", "per_second", "/s", WALL, (Times(times),) if times else (), more_is_better=True),
            Row(f"{label}: client CPU per user", "cpu_ms_each", "ms", CPU),
            Row(f"{label}: requests per user", "requests_each", "", EXACT, (AtMost(1),)),
            Row(f"{label}: connections per user", "connections_each", "", EXACT, (AtMost(0.02),)),
        ),
        floor=(f"floor-{kind}", str(workers), str(users), proof) if proof == "secret" else None,
        published=(*arguments, str(published), proof),
        runs=3,
        quick_runs=quick_runs,
        network=True,
        needs=("aio.OnBehalfOfCredential" if kind == "tasks" else "OnBehalfOfCredential",),
    )


def _memory(face: str, *, quick_runs: int) -> tuple[Scenario, Scenario]:
    needs = ("aio.OnBehalfOfCredential" if face == "aio" else "OnBehalfOfCredential",)
    label = f"on-behalf-of, {face}"
    return (
        Scenario(
            f"obo-kept-{face}",
            "on_behalf_of",
            (f"kept-{face}", "1", "300", "secret"),
            (
                Row(f"{label}: memory kept per user", "kept_kb", "kB", EXACT, (AtMost(6),)),
                Row(f"{label}: the same when all are closed", "closed_kb", "kB", EXACT),
            ),
            runs=1,
            quick_runs=quick_runs,
            network=True,
            needs=needs,
        ),
        Scenario(
            f"obo-resident-{face}",
            "on_behalf_of",
            (f"resident-{face}", "1", "300", "secret"),
            (Row(f"{label}: growth of the process per user", "resident_kb", "kB", EXACT),),
            runs=1,
            quick_runs=0,
            network=True,
            needs=needs,
        ),
    )


def _chain(face: str, kind: str, *, quick_runs: int) -> Scenario:
    if kind == "silent":
        label = f"default chain, metadata address silent, {face}"
        rows = (
            Row(f"{label}: first", "first_ms", "ms", WALL, (AtMost(1020),)),
            Row(f"{label}: again", "again_ms", "ms", WALL, (AtMost(20),)),
        )
    else:
        label = f"default chain, nothing available, {face}"
        rows = (
            Row(f"{label}: cold process", "wall_ms", "ms", WALL),
            Row(f"{label}: again", "again_ms", "ms", WALL),
        )
    return Scenario(
        f"chain-{kind}-{face}",
        "chain",
        (face, kind),
        rows,
        floor=("floor",) if kind == "refused" else None,
        runs=3 if kind == "silent" else 7,
        quick_runs=quick_runs,
        isolated=True,
        needs=("aio.DefaultAzureCredential" if face == "aio" else "DefaultAzureCredential",),
    )


def _managed_crowd(face: str) -> Scenario:
    label = f"1,000 managed-identity credentials, {face}"
    return Scenario(
        f"managed-{face}",
        "managed",
        (face, "1000"),
        (
            Row(f"{label}: requests", "all_requests", "", EXACT, (AtMost(1),)),
            Row(f"{label}: connections", "connections", "", EXACT),
            Row(f"{label}: time for each", "each_us", "µs", WALL),
        ),
        runs=3,
        network=True,
        needs=("aio.ManagedIdentityCredential" if face == "aio" else "ManagedIdentityCredential",),
    )


def _tool_crowd(kind: str, need: str) -> Scenario:
    label = f"50 {kind}, a 300 ms developer tool"
    return Scenario(
        f"tool-{kind}",
        "tool",
        (kind, "50"),
        (
            Row(f"{label}: process starts", "starts", "", EXACT, (AtMost(1),)),
            Row(f"{label}: p50", "p50_ms", "ms", WALL),
            Row(f"{label}: p99", "p99_ms", "ms", WALL),
        ),
        runs=3,
        needs=(need,),
    )


SCENARIOS: tuple[Scenario, ...] = (
    _import("import-sync", "import DefaultAzureCredential", ("sync",), AtMost(25), Times(15)),
    _import("import-loaded", "the same, azure.core and requests loaded", ("sync", "loaded"), AtMost(10)),
    _import("import-aio", "import aio.DefaultAzureCredential", ("aio",), AtMost(30)),
    _construct(
        "construct-default-sync", "DefaultAzureCredential()", "sync", "default", "DefaultAzureCredential", 60, Times(8)
    ),
    _construct(
        "construct-default-aio", "aio.DefaultAzureCredential()", "aio", "default", "aio.DefaultAzureCredential", 60
    ),
    _construct("construct-secret-sync", "ClientSecretCredential()", "sync", "secret", "ClientSecretCredential", 15),
    _construct(
        "construct-secret-aio", "aio.ClientSecretCredential()", "aio", "secret", "aio.ClientSecretCredential", 15
    ),
    _construct("construct-obo-sync", "OnBehalfOfCredential()", "sync", "on-behalf-of", "OnBehalfOfCredential", 15),
    Scenario(
        "construct-certificate",
        "construct",
        ("sync", "certificate"),
        (
            Row("CertificateCredential(), first: time", "first_ms", "ms", WALL),
            Row("CertificateCredential(), again: time", "again_ms", "ms", WALL, (AtMost(1),)),
        ),
        needs=("CertificateCredential",),
    ),
    Scenario(
        "first-token-sync",
        "first_token",
        ("sync",),
        (
            Row("cold process to first token, sync: time", "wall_ms", "ms", WALL, (OfFloor(1.1),)),
            Row("cold process to first token, sync: CPU", "cpu_ms", "ms", CPU),
            Row("cold process to first token, sync: requests", "all_requests", "", EXACT, (AtMost(1),)),
        ),
        floor=("floor-sync",),
        runs=15,
        quick_runs=3,
        network=True,
        needs=("ClientSecretCredential",),
    ),
    Scenario(
        "first-token-aio",
        "first_token",
        ("aio",),
        (
            Row("cold process to first token, aio: time", "wall_ms", "ms", WALL, (OfFloor(1.1),)),
            Row("cold process to first token, aio: CPU", "cpu_ms", "ms", CPU),
            Row("cold process to first token, aio: requests", "all_requests", "", EXACT, (AtMost(1),)),
        ),
        floor=("floor-aio",),
        runs=15,
        quick_runs=3,
        network=True,
        needs=("aio.ClientSecretCredential",),
    ),
    _cached("sync", "secret", 1, 2, miss=True),
    _cached("aio", "secret", 1, 3),
    _cached("sync", "default", 1, 3),
    _cached("aio", "default", 1, 3),
    _cached("sync", "provider", 1, 2),
    _cached("aio", "provider", 1, 2),
    _cached("sync", "secret", 1000, 2, runs=3, miss=True),
    _cached("aio", "secret", 1000, 3, runs=3),
    _cached("sync", "secret", 10_000, 2, runs=2, quick_runs=0, miss=True),
    _cached("aio", "secret", 10_000, 3, runs=2, quick_runs=0),
    _cached("sync", "managed", 1, 3),
    _cached("aio", "managed", 1, 3),
    _cached("aio", "managed", 1000, 3, runs=3, quick_runs=0),
    _managed_crowd("sync"),
    _managed_crowd("aio"),
    Scenario(
        "tool-in-turn",
        "tool",
        ("in-turn", "10"),
        (
            Row("ten tokens, a 300 ms developer tool: process starts", "starts", "", EXACT, (AtMost(1),)),
            Row("ten tokens, a 300 ms developer tool: time", "total_ms", "ms", WALL),
        ),
        runs=3,
        needs=("AzureCliCredential",),
    ),
    _tool_crowd("threads", "AzureCliCredential"),
    _tool_crowd("tasks", "aio.AzureCliCredential"),
    _chain("sync", "silent", quick_runs=1),
    _chain("aio", "silent", quick_runs=0),
    _chain("sync", "refused", quick_runs=1),
    _chain("aio", "refused", quick_runs=1),
    _crowd("crowd-threads", "64 threads, cold, 100 ms server", "threads", 64, None, 150, aio=False),
    _crowd("crowd-tasks", "1,000 tasks, cold, 100 ms server", "tasks", 1000, None, 200, aio=True),
    _crowd("crowd-renewal", "64 threads, token past its refresh time", "renewal", 64, 0.1, None, aio=False),
    # A cache that is searched gets slower with every tenant; one that is indexed does not. The targets are for the
    # larger number; at the smaller one, the server and TLS are most of the time.
    _tenants("threads", 16, 1000),
    _tenants("threads", 16, 4000, times=3),
    _tenants("tasks", 100, 1000),
    _tenants("tasks", 100, 4000, times=2.5),
    _tenants("threads", 16, 200, "certificate"),
    _on_behalf_of("obo-threads", "threads", 16, 10_000, 400, times=12),
    _on_behalf_of("obo-tasks", "tasks", 100, 10_000, 2000, times=4),
    _on_behalf_of("obo-in-turn", "threads", 1, 1000, 100, quick_runs=1),
    _on_behalf_of("obo-certificate", "threads", 16, 4000, 100, "certificate", times=20),
    *_memory("sync", quick_runs=1),
    *_memory("aio", quick_runs=0),
)
