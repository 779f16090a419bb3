"""The torture suite: kills, power cuts, damage, fuzzing, attacks, a soak. Prints its figures as JSON.

    python tests/torture/suite.py                     about 20 minutes
    python tests/torture/suite.py --minutes 2         a short run, as in CI
    python tests/torture/suite.py --only kills soak   some parts
    python tests/torture/suite.py --store             also write docs/reliability.md

Everything stays on this machine: the server listens on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil

from search.test_crash import draw_photos
from sketchseek.search.library import Library
from tiny_model import write_tiny_package
from torture import corruption, fuzzing, guided, kills, soak

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "measured" / "torture.json"
PAGE = ROOT / "docs" / "reliability.md"
BAD = ("lost or twice", "wrong or crashed", "crashed", "wrong answers", "errors", "failures")
"""Figures that must be 0."""

Part = Callable[[Path, argparse.Namespace, float], dict[str, object]]


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run ``sketchseek serve`` as a process of its own; yield its address and the process."""
    model = write_tiny_package(folder / "model").path
    draw_photos(folder / "photos", 300)
    with Library.create(folder / "library", model) as library:
        library.add([folder / "photos"])
    command = [sys.executable, "-m", "sketchseek", "serve", "--library", str(folder / "library"), "--port", "0"]
    command += ["--root", str(folder / "photos")]
    log = (folder / "server.log").open("wb")
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        for _ in range(600):
            found = re.search(r"http://127\.0\.0\.1:\d+", (folder / "server.log").read_text())
            if found or process.poll() is not None:
                break
            time.sleep(0.2)
        assert found, (folder / "server.log").read_text()
        yield f"{found.group()}/", psutil.Process(process.pid)
        assert process.poll() is None, "the server ended"
        assert "Traceback" not in (folder / "server.log").read_text(), (folder / "server.log").read_text()
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def _rest(folder: Path, options: argparse.Namespace, seconds: float) -> dict[str, object]:
    with served(folder) as (url, _):
        return fuzzing.run_rest(url, inputs=options.inputs, seconds=seconds, seed=options.seed)


def _soak(folder: Path, options: argparse.Namespace, seconds: float) -> dict[str, object]:
    with served(folder) as (url, process):
        return soak.run(url, process, seconds=options.soak or seconds)


def _tests(folder: Path, path: str, seconds: float, **environment: str) -> dict[str, object]:
    """Run a file of tests, and report the lines that it prints."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        path,
        "-q",
        "-s",
        "-p",
        "no:cacheprovider",
        f"--basetemp={folder / 'run'}",
    ]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=max(seconds, 60) * 10,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"failures": 1, "problems": ["it did not end in time"]}
    # What tests print, and the names of tests that failed; not pytest's tracebacks.
    lines = [line.strip(" .sF") for line in done.stdout.splitlines()]
    figures = [line for line in lines if re.match(r"(FAILED|\d+ operations|.* MB|\d+ (passed|failed))", line)]
    return {"failures": int(done.returncode != 0), "figures": figures[-20:]}


def _power(folder: Path, options: argparse.Namespace, seconds: float) -> dict[str, object]:
    return _tests(folder, "tests/power_loss", seconds, STRIDE=str(options.stride))


def _attacks(folder: Path, options: argparse.Namespace, seconds: float) -> dict[str, object]:
    return _tests(folder, "tests/torture/test_server_attacks.py", seconds)


def _guided(folder: Path, options: argparse.Namespace, seconds: float) -> dict[str, object]:
    if not guided.available():
        return {"not run": "atheris is not installed; it has wheels for Linux and some versions of Python"}
    return guided.run(folder, runs=options.inputs, seconds=seconds, seed=options.seed)


PARTS: dict[str, tuple[float, Part]] = {
    "kills": (0.2, lambda folder, o, seconds: kills.run(folder, kills=o.kills, seconds=seconds, seed=o.seed)),
    "power cuts": (0.1, _power),
    "damaged files": (
        0.2,
        lambda folder, o, seconds: corruption.run(folder, each=o.each, seconds=seconds, seed=o.seed),
    ),
    "inputs through Python": (
        0.05,
        lambda folder, o, seconds: fuzzing.run_python(folder, inputs=o.inputs, seconds=seconds, seed=o.seed),
    ),
    "inputs guided by coverage": (0.1, _guided),
    "inputs through REST": (0.05, _rest),
    "attacks": (0.15, _attacks),
    "soak": (0.15, _soak),
}
"""Parts with their fraction of the time."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0, help="time for all parts together")
    parser.add_argument("--only", nargs="+", choices=[name.replace(" ", "-") for name in PARTS], help="parts to run")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--each", type=int, default=500, help="damaged files of each kind")
    parser.add_argument("--stride", type=int, default=1, help="cut power at every n-th operation")
    parser.add_argument("--soak", type=float, default=0.0, help="seconds of the soak, whatever --minutes says")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--store", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args(arguments)
    bad = 0
    for name, (share, part) in PARTS.items():
        if options.only and name.replace(" ", "-") not in options.only:
            continue
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="sketchseek-torture-", ignore_cleanup_errors=True) as folder:
            figures = part(Path(folder), options, 60 * options.minutes * share)
        figures |= {
            "took, s": round(time.monotonic() - started),
            "seed": options.seed,
            "load average at the end, of the cores": f"{os.getloadavg()[1]:.0f} of {os.cpu_count()}",
        }
        bad += sum(int(str(figures.get(key, 0))) for key in BAD)
        print(json.dumps({name: figures}, indent=1), flush=True)  # noqa: T201
        if options.store:
            store(name, figures)
    return int(bad > 0)


def store(name: str, figures: dict[str, object]) -> None:
    """Keep a part's figures, and write the page anew."""
    every = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    every[name] = figures | {"date": time.strftime("%Y-%m-%d")}
    FIGURES.write_text(json.dumps(every, indent=1) + "\n")
    lines = [
        "# Reliability",
        "",
        "What the torture suite found when it last ran: `python tests/torture/suite.py --store` writes this page, and",
        "[durability](durability.md) says what is promised. Each part may come from another run; shorter runs than the",
        "suite's defaults show in their counts. Other work ran beside it where the load average is high: times then",
        "say little. The soak and the attacks ran with priority over that work.",
        "",
    ]
    for part in PARTS:
        if part not in every:
            lines += [f"## {part[0].upper() + part[1:]}", "", "Not run yet.", ""]
            continue
        lines += [f"## {part[0].upper() + part[1:]}", "", "| | |", "| --- | --- |"]
        for key, value in every[part].items():
            if isinstance(value, dict):
                shown = "; ".join(f"{k}: {_plain(v)}" for k, v in value.items())
            elif isinstance(value, list):
                shown = "<br>".join(f"`{item}`" for item in value).replace("|", "\\|") or "none"
            else:
                shown = _plain(value)
            lines.append(f"| {key} | {shown} |")
        lines.append("")
    PAGE.write_text("\n".join(lines))


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {key}" for key, count in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.exit(main())
