"""All benchmarks, one after the other: ``python -m benchmarks [--data DATA]``, or ``make bench``.

Each is a program of its own and prints ratios and limits measured in one run. Those that need real photos, or Chromium,
are skipped, and say so, where there are none.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("SKETCHSEEK_CHROMIUM", "/usr/bin/chromium")


def main() -> int:
    """Run them all; the exit code is 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="Folder of the real data, with caltech101 in it.")
    options = parser.parse_args()
    photos = options.data / "caltech101" if options.data else None
    runs: list[list[str]] = [["query.py"], ["engines.py"], ["encoders.py"], ["training.py"]]
    if Path(CHROMIUM).is_file():
        runs.append(["page.py"])
    else:
        print(f"page.py is skipped: there is no {CHROMIUM}.", flush=True)
    if photos is not None and photos.is_dir():
        runs.insert(0, ["index_throughput.py", str(photos)])
    else:
        print("index_throughput.py is skipped: it needs --data with a folder caltech101.", flush=True)
    failed = 0
    for run in runs:
        print(f"\n== {' '.join(run)}", flush=True)
        failed += subprocess.run([sys.executable, str(HERE / run[0]), *run[1:]], check=False).returncode != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
