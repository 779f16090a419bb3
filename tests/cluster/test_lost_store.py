"""Object storage that is killed: while a command indexes, and below two servers that share a library."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from object_store import ObjectStore, need_cluster
from sketchseek.models.package import ModelPackage
from store_commands import COUNT, ask, ended, filled_bucket, photos, run, search, server, started, wait_for

need_cluster()

pytestmark = pytest.mark.slow


@pytest.fixture
def bucket(lost_store: ObjectStore) -> str:
    """A bucket with photos, and a file that is none."""
    return filled_bucket(lost_store)


def test_the_store_is_killed_while_a_command_indexes(
    lost_store: ObjectStore, bucket: str, tiny_model: ModelPackage, tmp_path: Path
) -> None:
    address = f"{bucket}/library"
    arguments = ("index", f"{bucket}/photos", "--library", address, "--model", str(tiny_model.path), "--json")
    process = started(lost_store, *arguments, half=tmp_path / "half")
    try:
        wait_for(tmp_path / "half", process)
        time.sleep(1)  # the blocks before are committed
        lost_store.kill()
        code, _, err = ended(process)
    finally:
        process.kill()
    assert code == 1
    assert "Traceback" not in err
    assert "cannot be used" in err
    code, _, err = run(lost_store, "status", "--library", address)
    assert (code, "Traceback" in err) == (1, False)
    assert address in err
    lost_store.start()
    before = photos(lost_store, address)
    assert 0 < before < COUNT
    code, out, err = run(lost_store, *arguments)
    assert code == 0, err
    report = json.loads(out)
    assert report["indexed"] == COUNT - before  # what was committed is there, and is not embedded again
    assert photos(lost_store, address) == COUNT
    code, out, err = run(lost_store, "verify", "--library", address, "--sample", str(COUNT))
    assert code == 0, out + err  # also: no photo is there twice


def test_two_servers_share_a_library(
    lost_store: ObjectStore, bucket: str, tiny_model: ModelPackage, tmp_path: Path
) -> None:
    address = f"{bucket}/library"
    arguments = ("index", f"{bucket}/photos", "--library", address, "--model", str(tiny_model.path))
    code, _, err = run(lost_store, *arguments)
    assert code == 0, err
    with (
        server(lost_store, address, tmp_path / "one") as (process, one),
        server(lost_store, address, tmp_path / "two") as (_, two),
    ):
        assert ask(one, "GET", "health/ready")[0] == ask(two, "GET", "health/ready")[0] == 200
        first = search(one)
        assert first == search(two)
        assert first[0] == 200
        assert len(first[1]) > 10
        thumbnails = [ask(port, "GET", "photos/1/thumbnail?size=160") for port in (one, two)]
        assert thumbnails[0] == thumbnails[1]
        assert thumbnails[0][0] == 200
        # What another process writes is found by both.
        assert run(lost_store, "remove", f"{bucket}/photos/00.png", "--library", address)[0] == 0
        time.sleep(2.5)
        assert search(one) == search(two) != first
        # The store is away: both say so, neither ends, and both recover.
        expected = search(one)
        lost_store.kill()
        time.sleep(2.5)
        for port in (one, two):
            assert ask(port, "GET", "health/live")[0] == 200
            code, answer = ask(port, "GET", "health/ready")
            assert (code, answer["error"]["type"]) == (503, "NotReady")
            code, answer = search(port)
            assert (code, answer["type"]) == (503, "StorageError")
        lost_store.start()
        assert ask(one, "GET", "health/ready")[0] == ask(two, "GET", "health/ready")[0] == 200
        assert search(one) == search(two) == expected
        # A server that is told to end does so in a few seconds, without an error.
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
        assert search(two) == expected
