"""Mutated inputs for everything that reads what others wrote, guided by coverage: an input that reaches new lines is
mutated further. Only errors of sketchseek may come out; over REST, only answers below 500."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from sketchseek.errors import SketchseekError
from sketchseek.images import read_photo
from sketchseek.models.graph_check import RefusedGraphError, check_graph
from sketchseek.models.package import load_model_package
from sketchseek.photo_metadata import read_photo_metadata
from sketchseek.sketches import rasterize_sketch
from tiny_model import write_tiny_package
from torture.odd_requests import IMAGES, SVG, make_request

_STROKES = b"[[[0, 50, 100, 0], [100, 0, 100, 100]], [[1, 2], [3, 4]]]"
_DICTIONARY = [
    b"<",
    b"</g>",
    b"]]]",
    b"[[",
    b"-1e999",
    b"NaN",
    b"\0",
    b"\xff\xd8",
    b"&a;",
    b"99999999999",
    b'"',
    b"{",
    b"IHDR",
]


class Guide:
    """Notes which lines of sketchseek an input reaches."""

    def __init__(self) -> None:
        self.lines: set[tuple[str, int]] = set()
        self._new = False

    def is_new(self, function: Callable[[], object]) -> bool:
        """Run a function; return whether it reached lines that nothing reached before."""
        self._new = False
        sys.settrace(self._call)
        try:
            function()
        finally:
            sys.settrace(None)
        return self._new

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if "/sketchseek/" in frame.f_code.co_filename else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        place = (frame.f_code.co_filename, frame.f_lineno)
        if place not in self.lines:
            self.lines.add(place)
            self._new = True
        return self._line


def mutate(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Return a changed input."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 8])):
        at = rng.randrange(len(changed) + 1)
        what = rng.randrange(7)
        if what == 0 and changed:
            changed[at % len(changed)] ^= 1 << rng.randrange(8)
        elif what == 1 and changed:
            changed[at % len(changed)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif what == 2:
            del changed[at : at + rng.choice([1, 2, 8, 64])]
        elif what == 3:
            changed[at:at] = rng.choice(_DICTIONARY)
        elif what == 4:
            changed[at:at] = changed[at : at + rng.choice([1, 16, 200])] * rng.choice([1, 2, 30])
        elif what == 5:
            other = rng.choice(others)
            changed[at:] = other[rng.randrange(len(other) + 1) :]
        else:
            del changed[at:]
        if len(changed) > 200_000:
            del changed[100_000:]
    return bytes(changed)


Target = tuple[Callable[[bytes], object], list[bytes]]
"""A function, and inputs to start from."""


def python_targets(folder: Path) -> dict[str, Target]:
    """Return everything in Python that reads what others wrote."""
    package = write_tiny_package(folder / "model").path
    manifest = (package / "manifest.json").read_bytes()
    graph = (package / "photo.onnx").read_bytes()

    def load_manifest(data: bytes) -> None:
        (package / "manifest.json").write_bytes(data)
        load_model_package(package)

    def check(data: bytes) -> None:
        with suppress(RefusedGraphError):
            check_graph(data)

    return {
        "sketch": (lambda data: rasterize_sketch(data, 64), [SVG, _STROKES, *IMAGES]),
        "photo": (lambda data: read_photo(data, 32), list(IMAGES)),
        "photo metadata": (read_photo_metadata, list(IMAGES)),
        "manifest": (load_manifest, [manifest]),
        "graph": (check, [graph]),
    }


def run_python(folder: Path, *, inputs: int, seconds: float, seed: int) -> dict[str, object]:
    """Mutate inputs of the Python functions."""
    rng = random.Random(seed)
    targets = python_targets(folder)
    guide = Guide()
    done = refused = 0
    problems: list[str] = []
    started = time.monotonic()
    while done < inputs and time.monotonic() - started < seconds:
        name = rng.choice(list(targets))
        function, corpus = targets[name]
        data = mutate(rng.choice(corpus), rng, corpus)
        done += 1
        outcome: list[BaseException] = []

        def attempt(
            function: Callable[[bytes], object] = function, data: bytes = data, outcome: list[BaseException] = outcome
        ) -> None:
            try:
                function(data)
            except Exception as error:
                outcome.append(error)

        if guide.is_new(attempt) and len(corpus) < 500:
            corpus.append(data)
        if outcome and isinstance(outcome[0], SketchseekError):
            refused += 1
        elif outcome:
            problems.append(f"{name}: {outcome[0]!r}: {data[:80]!r}")
    return {
        "inputs": done,
        "refused": refused,
        "lines reached": len(guide.lines),
        "inputs kept for mutation": sum(len(corpus) for _, corpus in targets.values()),
        "crashed": len(problems),
        "problems": problems[:10],
    }


def run_rest(url: str, *, inputs: int, seconds: float, seed: int) -> dict[str, object]:
    """Send odd requests to a server; see ``odd_requests``."""
    rng = random.Random(seed)
    statuses: dict[int, int] = {}
    problems: list[str] = []
    done = 0
    started = time.monotonic()
    with httpx.Client(base_url=f"{url}api/v1/", timeout=60) as client:
        client.headers["X-Sketchseek-Token"] = client.get("session").json()["token"]
        while done < inputs and time.monotonic() - started < seconds:
            request = make_request(rng, mutate)
            try:
                answer = client.request(request.method, request.path, **request.options)
            except (httpx.InvalidURL, UnicodeError):
                continue
            except httpx.TransportError as error:
                problems.append(f"{request.method} {request.path}: {error!r}")
                done += 1
                continue
            done += 1
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            if (problem := wrong_answer(answer)) is not None:
                problems.append(problem)
    return {
        "inputs": done,
        "answers by status": dict(sorted(statuses.items())),
        "crashed": len(problems),
        "problems": problems[:10],
    }


def wrong_answer(answer: Any) -> str | None:
    """Return what is wrong with an answer of httpx or of the test client, whatever the request was."""
    busy = answer.status_code == 503 and b'"Busy"' in answer.content
    if (answer.status_code < 500 or busy) and b"Traceback" not in answer.content:
        return None
    return f"{answer.status_code}: {answer.request.method} {answer.request.url}: {answer.text[:200]}"
