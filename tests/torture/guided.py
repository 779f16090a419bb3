"""Fuzzing that libFuzzer guides by coverage, through atheris, which is installed by hand where it has a wheel.

    python tests/torture/guided.py FOLDER --runs 10000 --seconds 300 --seed 1

libFuzzer ends its process, so ``run`` starts this file once for each target and reads the counts that it leaves.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

TARGETS = ("sketch", "photo", "photo metadata", "manifest", "graph", "requests")
_COUNT_EVERY = 20


def available() -> bool:
    """Return whether atheris is installed."""
    try:
        import atheris  # noqa: F401
    except ImportError:
        return False
    return True


def run(folder: Path, *, runs: int, seconds: float, seed: int) -> dict[str, object]:
    """Fuzz each target for its part of the runs; return counts."""
    found: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for target in TARGETS:
        part = runs // len(TARGETS)
        own = folder / target.replace(" ", "-")
        own.mkdir(parents=True)
        command = [sys.executable, __file__, str(own), "--target", target, "--runs", str(part), "--seed", str(seed)]
        # The API has more code than all others together, and is slower.
        command += ["--seconds", str(int(seconds * (0.5 if target == "requests" else 0.1)) + 1)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        counts = own / "counts.json"
        found[target] = json.loads(counts.read_text()) if counts.exists() else {"inputs": 0}
        if done.returncode:
            problems.append(f"{target}: {done.stderr[-600:]}")
    return {
        "inputs": sum(one["inputs"] for one in found.values()),
        "by target": {
            target: {key: one[key] for key in one if key != "inputs by status"} for target, one in found.items()
        },
        "answers by status": found["requests"].get("inputs by status", {}),
        "crashed": len(problems),
        "problems": problems,
    }


class ByteRandom(random.Random):
    """Random numbers from an input, so that libFuzzer, which changes the input, changes what is made of it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        super().__init__(0)

    def random(self) -> float:
        return self.getrandbits(24) / (1 << 24)

    def getrandbits(self, count: int, /) -> int:
        size = (count + 7) // 8
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken.ljust(size, b"\0"), "big") & ((1 << count) - 1)


def fuzz(folder: Path, target: str, *, runs: int, seconds: int, seed: int) -> None:
    """Fuzz one target in this process, which libFuzzer then ends. An uncaught exception ends it with an error."""
    import atheris

    with atheris.instrument_imports(include=["sketchseek"]):
        if target == "requests":
            import sketchseek.server.app  # noqa: F401
        from sketchseek.errors import SketchseekError
        from torture import fuzzing
    counts: dict[str, Any] = {"inputs": 0, "refused": 0}
    statuses: dict[int, int] = {}
    started = time.monotonic()
    if target == "requests":
        send, seeds = _in_process(folder, statuses)
    else:
        send, seeds = fuzzing.python_targets(folder)[target]

    def one(data: bytes) -> None:
        try:
            send(data)
        except SketchseekError:
            counts["refused"] += 1
        finally:
            counts["inputs"] += 1
            if counts["inputs"] % _COUNT_EVERY == 0 or counts["inputs"] >= runs:
                told = counts | {"corpus": len(list(corpus.iterdir())), "seconds": round(time.monotonic() - started)}
                told |= {"inputs by status": statuses} if statuses else {}
                (folder / "counts.json").write_text(json.dumps(told))

    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(seeds):
        (corpus / str(number)).write_bytes(content)
    options = [f"-runs={runs}", f"-max_total_time={seconds}", f"-seed={seed % 2**32 or 1}", "-timeout=60"]
    options += ["-rss_limit_mb=3000", f"-artifact_prefix={folder}/", "-max_len=20000", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def _in_process(folder: Path, statuses: dict[int, int]) -> Any:
    """Return a function that makes a request of an input and sends it to a server in this process."""
    from starlette.testclient import TestClient

    from search.test_crash import draw_photos
    from sketchseek.search.library import Library
    from sketchseek.server.app import create_app
    from sketchseek.server.thumbnails import ThumbnailCache
    from tiny_model import write_tiny_package
    from torture.fuzzing import mutate, wrong_answer
    from torture.odd_requests import PHOTOS, make_request

    draw_photos(folder / "photos", PHOTOS)
    library = Library.create(folder / "library", write_tiny_package(folder / "model").path)
    library.add([folder / "photos"])
    app = create_app(library, thumbnails=ThumbnailCache(folder / "thumbnails"), roots=[folder / "photos"])
    client = TestClient(app, base_url="http://127.0.0.1:8765/api/v1/", raise_server_exceptions=True).__enter__()
    client.headers["X-Sketchseek-Token"] = client.get("session").json()["token"]

    def send(data: bytes) -> None:
        request = make_request(ByteRandom(data), mutate)
        try:
            answer = client.request(request.method, request.path, **request.options)
        except (ValueError, UnicodeError) as error:  # the client cannot send it
            if "httpx" not in type(error).__module__ and not isinstance(error, UnicodeError):
                raise
            return
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        problem = wrong_answer(answer)
        assert problem is None, problem

    rng = random.Random(0)
    return send, [rng.randbytes(400) for _ in range(40)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--target", choices=TARGETS, required=True)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    fuzz(
        arguments.folder,
        arguments.target,
        runs=arguments.runs,
        seconds=arguments.seconds,
        seed=arguments.seed,
    )
