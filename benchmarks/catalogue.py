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
    `token_requests`, `discovery_requests`, `connections` since the server's counts were last cleared."""
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
    runs: int = 7
    quick_runs: int = 1
    """0: not part of a quick run."""
    network: bool = False
    """Whether requests are made, and counted."""
    latency: float = 0.0
    """Seconds the server takes for a token, besides its work."""
    lifetime: int = 3600
    """Seconds tokens live."""
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
    many = f"{entries:,} entr{'y' if entries == 1 else 'ies'}"
    rows: tuple[Row, ...] = (Row(f"cached {names[kind]}, {many}, {face}", "hit_us", "µs", CPU, (AtMost(limit),)),)
    if miss:
        rows += (Row(f"new token, client's share, {many}, {face}", "miss_ms", "ms", CPU, (AtMost(0.5),)),)
    needed = "DefaultAzureCredential" if kind == "default" else "ClientSecretCredential"
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
)
