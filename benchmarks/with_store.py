"""Run a command beside an S3 stand-in, SeaweedFS on loopback, with its address and credentials in the environment.

    python benchmarks/with_store.py python benchmarks/scale.py --kind lance --at s3://bucket-1 --state FOLDER

It has one bucket, s3://bucket-1. Its data is in a temporary folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from object_store import running_store


def main() -> int:
    """Return the command's exit status."""
    program = Path(sys.executable).with_name("weed")
    with tempfile.TemporaryDirectory() as folder, running_store(program, Path(folder)) as store:
        store.bucket()
        return subprocess.call(sys.argv[1:], env=os.environ | store.environment)


if __name__ == "__main__":
    sys.exit(main())
