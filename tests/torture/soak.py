"""A soak: steady load below a server's capacity, latency from the time a request was due, and growth of its memory.

The load is mixed: sketches, words, a photo of the library, uploads, thumbnails. Each answer is compared with the first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import numpy as np
import psutil

from hostile_files import picture

CLIENTS = 4
WARM_UP = 0.25
"""Fraction of the time in which caches fill, which is left out of the growth."""

_STROKES = [[[[0, 50 + i, 100], [i, 9, 100 - i]]] for i in range(8)]
_UPLOADS = [picture(kind, 320, 240) for kind in ("JPEG", "PNG")]

Ask = Callable[[httpx.Client], httpx.Response]


def _requests() -> list[Ask]:
    """Return the load: three sketches of four, and one of everything else in turn."""

    def sketch(strokes: object) -> Ask:
        return lambda client: client.post("api/v1/search/sketch", json={"strokes": strokes, "k": 5})

    def upload(data: bytes, kind: str) -> Ask:
        return lambda client: client.post(
            "api/v1/search/image", data={"kind": kind, "k": "5"}, files={"image": ("a", data)}
        )

    others: list[Ask] = [
        lambda client: client.post("api/v1/search/photo/3", json={"k": 5}),
        lambda client: client.post("api/v1/search/query", json={"text": "photo", "k": 5}),
        lambda client: client.get("api/v1/photos/5/thumbnail?size=320"),
        upload(_UPLOADS[0], "photo"),
        upload(_UPLOADS[1], "sketch"),
        lambda client: client.get("api/v1/status"),
    ]
    load: list[Ask] = []
    for number, other in enumerate(others):
        load += [*(sketch(_STROKES[(3 * number + i) % len(_STROKES)]) for i in range(3)), other]
    return load


def run(url: str, process: psutil.Process, *, seconds: float, fraction: float = 0.7) -> dict[str, object]:
    """Measure capacity for a tenth of the time, then load the server with a fraction of it and check every answer."""
    load = _requests()
    with ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=url, timeout=60)) for _ in range(CLIENTS)]
        expected = [_answer(ask(clients[0])) for ask in load]
        capacity = _capacity(clients, load, max(3.0, seconds / 10))
        return _steady(clients, load, expected, process, rate=fraction * capacity, seconds=seconds) | {
            "capacity, requests a second": round(capacity, 1)
        }


def _capacity(clients: list[httpx.Client], load: list[Ask], seconds: float) -> float:
    """Return how many requests a second are answered when every client asks without a pause."""
    counts = [0] * len(clients)
    started = time.monotonic()

    def work(number: int) -> None:
        while time.monotonic() - started < seconds:
            _answer(load[(counts[number] + 7 * number) % len(load)](clients[number]))
            counts[number] += 1

    _in_threads(work)
    return sum(counts) / (time.monotonic() - started)


def _steady(
    clients: list[httpx.Client],
    load: list[Ask],
    expected: list[object],
    process: psutil.Process,
    *,
    rate: float,
    seconds: float,
) -> dict[str, object]:
    latencies: list[float] = []
    wrong = errors = 0
    memory: list[tuple[float, float, float, float]] = []
    lock, ended = threading.Lock(), threading.Event()
    begin = time.monotonic()
    following: Iterator[int] = iter(range(int(rate * seconds)))

    def work(client: int) -> None:
        nonlocal wrong, errors
        while True:
            with lock:
                number = next(following, None)
            if number is None:
                return
            due = begin + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                good = _answer(load[number % len(load)](clients[client])) == expected[number % len(load)]
                with lock:
                    wrong += not good
                    latencies.append(time.monotonic() - due)
            except (httpx.HTTPError, KeyError, ValueError):
                with lock:
                    errors += 1

    def watch() -> None:
        while not ended.wait(max(0.2, seconds / 400)):
            children = sum(_memory(child) for child in process.children(recursive=True))
            memory.append((time.monotonic() - begin, _memory(process) / 1e6, process.num_fds(), children / 1e6))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _in_threads(work)
    ended.set()
    watcher.join()
    table = np.array([row for row in memory if row[0] > WARM_UP * seconds] or [(0.0, 0.0, 0.0, 0.0)])

    def slope(column: int) -> float:
        return round(float(np.polyfit(table[:, 0], table[:, column], 1)[0]) * 3600, 1) if len(table) > 2 else 0.0

    return {
        "seconds": round(time.monotonic() - begin, 1),
        "requests": len(latencies),
        "requests a second": round(rate, 1),
        "errors": errors,
        "wrong answers": wrong,
        "p50 ms from due time": round(float(np.percentile(latencies, 50)) * 1e3, 1) if latencies else None,
        "p99 ms from due time": round(float(np.percentile(latencies, 99)) * 1e3, 1) if latencies else None,
        "longest ms from due time": round(max(latencies, default=0.0) * 1e3, 1),
        "memory, MB, after the warm-up and at the end": [round(float(table[i, 1]), 1) for i in (0, -1)],
        "memory growth, MB an hour": slope(1),
        "growth of the decoders' memory, MB an hour": slope(3),
        "open files growth, an hour": slope(2),
    }


def _in_threads(work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _memory(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0.0


def _answer(response: httpx.Response) -> object:
    """Return what must be the same each time."""
    response.raise_for_status()
    if response.headers["Content-Type"] != "application/json":
        return response.content
    answer = response.json()
    if "results" not in answer:
        return answer["library"]["photos"]
    return [(result["id"], round(result["score"], 4)) for result in answer["results"]]
