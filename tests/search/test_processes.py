"""One writer and many readers, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from search.test_crash import CHILD, draw_photos
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library

pytestmark = pytest.mark.slow

_READER = """
import os, sys
import numpy as np
from sketchseek.search.library import Library

# Searches until it has found COUNT photos, and says how many it saw on the way.
with Library.open(sys.argv[1]) as library:
    counts = [0]
    embedding = np.ones(16)
    while counts[-1] < int(sys.argv[2]):
        results = library.search_embedding(embedding, k=10**6)
        assert len({r.id for r in results}) == len({r.path for r in results}) == len(results)
        assert all(os.path.exists(r.path) for r in results)
        if len(results) != counts[-1]:
            counts.append(len(results))
    assert counts == sorted(counts), counts
    sys.stdout.write(f"{len(counts)}\\n")
"""


def test_readers_in_other_processes_see_photos_as_they_are_committed(tmp_path: Path, tiny_model: ModelPackage) -> None:
    count = 300
    draw_photos(tmp_path / "photos", count)
    path = tmp_path / "library"
    Library.create(path, tiny_model.path).close()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COMMIT_EVERY": "0"}
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", _READER, str(path), str(count)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        for _ in range(2)
    ]
    writer = subprocess.run(
        [
            sys.executable,
            str(CHILD),
            str(tmp_path / "photos"),
            str(path),
            str(tiny_model.path),
            str(tmp_path / "log"),
        ],
        capture_output=True,
        env=environment,
        check=False,
    )
    assert writer.returncode == 0, writer.stderr.decode()
    for reader in readers:
        out, err = reader.communicate(timeout=60)
        assert reader.returncode == 0, err.decode()
        assert int(out) >= 2
    with Library.open(path) as library:
        assert len(library.search_embedding(np.ones(16), k=10**6)) == count
