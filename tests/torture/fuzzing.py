"""Mutated inputs for everything that reads what others wrote, guided by coverage: an input that reaches new lines is
mutated further. Only errors of sketchseek may come out; over REST, only answers below 500."""

from __future__ import annotations

import io
import json
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from hostile_files import picture
from sketchseek.errors import SketchseekError
from sketchseek.images import read_photo
from sketchseek.models.graph_check import RefusedGraphError, check_graph
from sketchseek.models.package import load_model_package
from sketchseek.photo_metadata import read_photo_metadata
from sketchseek.sketches import rasterize_sketch
from tiny_model import write_tiny_package

_SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 99 99">'
    b'<g transform="rotate(3)"><path d="M1 2L50 60C1 2 3 4 5 6Z"/></g></svg>'
)
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


def run_python(folder: Path, *, inputs: int, seconds: float, seed: int) -> dict[str, object]:
    """Mutate inputs of the Python functions."""
    rng = random.Random(seed)
    package = write_tiny_package(folder / "model").path
    manifest = (package / "manifest.json").read_bytes()
    graph = (package / "photo.onnx").read_bytes()

    def load_manifest(data: bytes) -> None:
        (package / "manifest.json").write_bytes(data)
        load_model_package(package)

    def check(data: bytes) -> None:
        with suppress(RefusedGraphError):
            check_graph(data)

    images = [picture(kind, 24, 18) for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")]
    targets: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
        "sketch": (lambda data: rasterize_sketch(data, 64), [_SVG, _STROKES, *images]),
        "photo": (lambda data: read_photo(data, 32), list(images)),
        "photo metadata": (read_photo_metadata, list(images)),
        "manifest": (load_manifest, [manifest]),
        "graph": (check, [graph]),
    }
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
    """Mutate requests to a server."""
    rng = random.Random(seed)
    json_bodies = [
        ("search/sketch", {"strokes": [[[0, 9], [0, 9]]], "k": 5, "offset": 1, "after": "2024-01-01"}),
        ("search/photo/3", {"k": 3, "folder": "/x"}),
        ("search/refine", {"strokes": [[[0, 9], [0, 9]]], "positive": [1], "negative": [2]}),
        ("search/embedding", {"embedding": [0.5] * 16, "k": 2}),
        ("search/query", {"text": "cat", "examples": [{"strokes": [[[0, 9], [0, 9]]]}]}),
        ("model/embedding", {"strokes": [[[0, 9], [0, 9]]]}),
    ]
    images = [picture(kind, 24, 18) for kind in ("PNG", "JPEG", "GIF", "WEBP")]
    corpus = [json.dumps(body).encode() for _, body in json_bodies]
    statuses: dict[int, int] = {}
    problems: list[str] = []
    done = 0
    started = time.monotonic()
    with httpx.Client(base_url=url, timeout=60) as client:
        while done < inputs and time.monotonic() - started < seconds:
            done += 1
            kind = rng.randrange(4)
            try:
                if kind == 0:
                    place = rng.randrange(len(corpus))
                    answer = client.post(
                        f"api/v1/{json_bodies[place % len(json_bodies)][0]}",
                        content=mutate(corpus[place], rng, corpus),
                        headers={"Content-Type": "application/json"},
                    )
                elif kind == 1:
                    file = io.BytesIO(mutate(rng.choice([_SVG, *images]), rng, images))
                    answer = client.post("api/v1/search/image", files={"file": ("a.png", file)})
                elif kind == 2:
                    path, body = rng.choice(json_bodies)
                    answer = client.post(f"api/v1/{path}", json=_odd(body, rng))
                else:
                    odd = rng.choice(["0", "-1", "9" * 30, "%00", "..%2f..", "nan", "1e9", "a" * 3000])
                    path = rng.choice(
                        ["photos/{}", "photos/{}/thumbnail", "photos/{}/file", "model/{}", "libraries/{}", "{}"]
                    )
                    answer = client.get(f"api/v1/{path.format(odd)}")
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
                if answer.status_code >= 500 or b"Traceback" in answer.content:
                    problems.append(
                        f"{answer.status_code}: {answer.request.method} {answer.request.url}: {answer.text[:200]}"
                    )
            except (httpx.InvalidURL, UnicodeError):
                continue
            except httpx.TransportError as error:
                problems.append(f"{kind}: {error!r}")
    return {
        "inputs": done,
        "answers by status": dict(sorted(statuses.items())),
        "crashed": len(problems),
        "problems": problems[:10],
    }


def _odd(value: Any, rng: random.Random) -> Any:
    """Return JSON with values replaced at random."""
    if rng.random() < 0.2:
        return rng.choice([None, True, -1, 10**30, 1.5, "", "\0", "é" * 50, [], {}, [[[]]], {"a": {"b": []}}])
    if isinstance(value, dict):
        return {key: _odd(item, rng) for key, item in value.items()}
    if isinstance(value, list):
        return [_odd(item, rng) for item in value]
    return value
