"""A soak: steady load below a server's capacity, latency from the time a request was due, and growth of its memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import httpx
import numpy as np
import psutil

Answer = list[tuple[int, float]]
QUERIES = [[[[0, 50 + i, 100], [i, 9, 100 - i]]] for i in range(8)]


def run(url: str, process: psutil.Process, *, seconds: float, share: float = 0.7) -> dict[str, object]:
    """Measure capacity for a tenth of the time, then load the server with a Fraction of it and check every answer."""
    with httpx.Client(base_url=url, timeout=60) as client:
        expected = [_ask(client, i) for i in range(len(QUERIES))]
        started = time.monotonic()
        count = 0
        while time.monotonic() - started < max(3.0, seconds / 10):
            _ask(client, count % len(QUERIES))
            count += 1
        rate = share * count / (time.monotonic() - started)
    latencies: list[float] = []
    wrong = errors = 0
    memory: list[tuple[float, float, float]] = []
    lock = threading.Lock()
    begin = time.monotonic()
    total = int(rate * seconds)
    following = iter(range(total))

    def work(client: httpx.Client) -> None:
        nonlocal wrong, errors
        while True:
            with lock:
                number = next(following, None)
            if number is None:
                return
            due = begin + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                good = _ask(client, number % len(QUERIES)) == expected[number % len(QUERIES)]
                with lock:
                    wrong += not good
                    latencies.append(time.monotonic() - due)
            except (httpx.HTTPError, KeyError, ValueError):
                with lock:
                    errors += 1

    clients = [httpx.Client(base_url=url, timeout=60) for _ in range(4)]
    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        memory.append((time.monotonic() - begin, process.memory_info().rss, process.num_fds()))
        time.sleep(max(0.2, seconds / 200))
    for client in clients:
        client.close()
    half = memory[len(memory) // 4 :]  # the first quarter warms caches
    slope: Callable[[int], float] = lambda column: float(  # noqa: E731
        np.polyfit([row[0] for row in half], [row[column] for row in half], 1)[0] * 3600 if len(half) > 2 else 0.0
    )
    return {
        "seconds": round(time.monotonic() - begin, 1),
        "requests": len(latencies),
        "requests a second": round(rate, 1),
        "errors": errors,
        "wrong answers": wrong,
        "p50 ms from due time": round(float(np.percentile(latencies, 50)) * 1e3, 1) if latencies else None,
        "p99 ms from due time": round(float(np.percentile(latencies, 99)) * 1e3, 1) if latencies else None,
        "memory growth, MB an hour": round(slope(1) / 1e6, 1),
        "open files growth, an hour": round(slope(2), 1),
    }


def _ask(client: httpx.Client, number: int) -> Answer:
    answer = client.post("api/v1/search/sketch", json={"strokes": QUERIES[number], "k": 5}).raise_for_status().json()
    return [(result["id"], round(result["score"], 4)) for result in answer["results"]]
