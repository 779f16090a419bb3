"""One of the store's volume servers is killed while a command indexes and a server searches."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from object_store import ObjectStore, need_cluster
from sketchseek.models.package import ModelPackage
from store_commands import COUNT, filled_bucket, photos, run, search, server, started, wait_for

need_cluster()

pytestmark = pytest.mark.slow


def test_a_volume_is_killed(replicated_store: ObjectStore, tiny_model: ModelPackage, tmp_path: Path) -> None:
    """Each object has a copy on another volume: searches go on, nothing is lost, and nothing is there twice."""
    bucket = filled_bucket(replicated_store)
    address = f"{bucket}/library"
    arguments = ("index", f"{bucket}/photos", "--library", address, "--model", str(tiny_model.path), "--json")
    first = ("index", f"{bucket}/photos/00.png", *arguments[2:])
    code, _, err = run(replicated_store, *first)
    assert code == 0, err
    with server(replicated_store, address, tmp_path / "cache") as (_, port):
        assert search(port)[0] == 200
        process = started(replicated_store, *arguments, half=tmp_path / "half")
        try:
            wait_for(tmp_path / "half", process)
            time.sleep(1)
            before = search(port)
            replicated_store.kill_volume()
            lost = (tmp_path / "seaweedfs" / "volume1").glob("*.dat")
            assert sum(file.stat().st_size for file in lost) > 1000
            answers = [before]
            while process.poll() is None:
                answers.append(search(port))
                time.sleep(0.3)
            _, err = process.communicate()
        finally:
            process.kill()
        assert process.returncode == 0, err
        assert [answer for answer in answers if answer[0] != 200] == []
        assert len(answers) > 5
        time.sleep(2.5)
        assert len(search(port)[1]) >= len(before[1])
    assert photos(replicated_store, address) == COUNT
    code, out, err = run(replicated_store, *arguments)
    assert code == 0, err
    assert json.loads(out)["indexed"] == 0
    code, out, err = run(replicated_store, "verify", "--library", address, "--sample", str(COUNT))
    assert code == 0, out + err
