"""`python -m benchmarks [--quick] [--only NAME] [--json FILE] [--record]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import environments, report
from benchmarks.catalogue import SCENARIOS, Scenario
from benchmarks.runner import Measured, running_server

RESULTS = environments.HERE / "results"
RECORD = environments.HERE / "RESULTS.md"


def main(argv: list[str]) -> int:
    options = parse(argv)
    # A polite end, so that the server and the measured process end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [one for one in SCENARIOS if not options.only or one.name.startswith(tuple(options.only))]
    chosen = [one for one in chosen if one.quick_runs or not options.quick]
    if not chosen:
        print(f"no such scenario; there are: {', '.join(one.name for one in SCENARIOS)}", file=sys.stderr)
        return 2
    environments.prepare()
    started = time.time()
    load = [round(os.getloadavg()[0], 2)]
    measured: dict[str, Measured] = {}
    with running_server() as runner:
        runner.warm_up()
        for i, scenario in enumerate(chosen, 1):
            print(f"[{i}/{len(chosen)}] {scenario.name}", file=sys.stderr, flush=True)
            measured[scenario.name] = runner.run(scenario, quick=options.quick)
            load.append(round(os.getloadavg()[0], 2))
    table = report.markdown(
        report.cells(scenario, row, measured[scenario.name]) for scenario in chosen for row in scenario.rows
    )
    about = surroundings(time.time() - started, load, quick=options.quick)
    text = page(table, about, failures(measured))
    save(text, data(chosen, measured, about), options.json)
    if options.record:
        RECORD.write_text(text, encoding="utf-8")
    print(text)
    return 1 if any(one.failures for one in measured.values()) else 0


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions: under two minutes, for orientation only")
    parser.add_argument("--only", action="append", metavar="NAME", help="scenarios whose name begins so; repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there too")
    parser.add_argument("--record", action="store_true", help="write the table to benchmarks/RESULTS.md")
    return parser.parse_args(argv)


def surroundings(seconds: float, load: list[float], *, quick: bool) -> dict[str, Any]:
    """Where and with what it was measured."""
    installed = environments.versions(environments.PUBLISHED)
    shared = ("azure-core", "requests", "aiohttp", "cryptography", "msal")
    return {
        "kind": "quick" if quick else "full",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(seconds),
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": load,
        "published": installed["azure-identity"],
        "ours": environments.versions(environments.OURS)["azure-identity"],
        "versions": {name: installed[name] for name in shared if name in installed},
    }


def failures(measured: dict[str, Measured]) -> list[str]:
    """What went wrong, one line each."""
    return [f"{name}, {side}: {why}" for name, one in measured.items() for side, why in one.failures.items()]


def page(table: str, about: dict[str, Any], failed: list[str]) -> str:
    """The whole result as Markdown."""
    load = sorted(about["load"])
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        "# Results",
        "",
        f"A {about['kind']} run of {about['date']}: Python {about['python']} on {about['system']} {about['machine']}, "
        f"{about['cores']} cores shared with other work (load average {load[0]} to {load[-1]}, median "
        f"{load[len(load) // 2]}). Ours {about['ours']}, published {about['published']}; both with {versions}.",
        "",
        "Read ratios and counts; the absolute figures depend on this machine, and it is a noisy one. The samples of "
        "both sides alternate; figures are medians, ± is half the distance between the quartiles. A ratio counts as a "
        "gain from 1.4× in wall time or 1.25× in CPU time.",
        "",
        table,
    ]
    if failed:
        lines += ["Failures:", "", *(f"- {line}" for line in failed), ""]
    return "\n".join(lines)


def data(chosen: list[Scenario], measured: dict[str, Measured], about: dict[str, Any]) -> dict[str, Any]:
    """All samples, for programs."""
    return {
        **about,
        "scenarios": {
            one.name: {
                "arguments": one.arguments,
                "samples": measured[one.name].samples,
                "failures": measured[one.name].failures,
                "missing": measured[one.name].missing,
                "impossible": measured[one.name].impossible,
                "rows": [dict(zip(report.HEADINGS, report.cells(one, row, measured[one.name]))) for row in one.rows],
            }
            for one in chosen
        },
    }


def save(text: str, samples: dict[str, Any], file: Path | None) -> None:
    RESULTS.mkdir(exist_ok=True)
    name = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    written = json.dumps(samples, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    (RESULTS / f"{name}.json").write_text(written, encoding="utf-8")
    if file is not None:
        file.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RuntimeError as error:
        sys.exit(f"benchmarks: {error}")
