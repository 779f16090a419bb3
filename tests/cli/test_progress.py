"""The bars of an indexing run, on a pseudo-terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty")  # not on Windows

# A long scan, then the first embeddings, which take their time: a bar that counts both has a speed that is too high.
_RUN = """if True:
    import time
    from sketchseek.cli.progress import index_bar
    from sketchseek.search.results import IndexProgress
    with index_bar(False) as show:
        for found in range(0, 50_000, 5_000):
            show(IndexProgress("scan", found, 0))
            time.sleep(0.02)
        show(IndexProgress("scan", 50_000, 50_000))
        show(IndexProgress("embed", 0, 400))
        time.sleep(0.3)
        show(IndexProgress("embed", 2, 400, indexed=1, failed=1))
        time.sleep(0.3)
        show(IndexProgress("embed", 400, 400, indexed=399, failed=1))
        show(IndexProgress("index", 0, 1))
        show(IndexProgress("index", 1, 1))
    """


def test_each_stage_has_its_own_bar_and_no_false_time_is_left() -> None:
    main, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN], stderr=terminal, stdout=subprocess.DEVNULL, env=environment
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            data = os.read(main, 65_536)
        except OSError:  # Linux: the other side is closed
            break
        if not data:
            break
        shown += data
    os.close(main)
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    unfinished = [line for line in lines if re.match(r"Indexing.* (0|2)/400", line)]
    assert unfinished
    # Before, the speed of the scan said that 400 photos are done at once.
    assert not any("0:00:00" in line for line in unfinished), unfinished
    last = lines[-3:]
    assert [re.split(r"[ ,]", line)[0] for line in last] == ["Scanning", "Indexing", "Writing"]
    assert "1 failed" in last[1]
    assert "50000/50000" in last[0]
