"""Where blocks of photos are embedded: in threads of this process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from sketchseek.cluster.embedding import Job, Task, Written, embed_block
from sketchseek.search.index.engine import available_cores

Block = list[Task]

Runner = Callable[[Job, Iterable[Block]], Iterator[Written]]
"""Embeds blocks, which it takes as late as it can, and yields what was written. Closing the iterator stops the work."""


def run_here(job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
    """Embed blocks in threads of this process, one on each core."""
    cores = available_cores()
    stop = threading.Event()
    waiting: deque[Future[Written]] = deque()
    with ThreadPoolExecutor(cores, thread_name_prefix="sketchseek-embed") as threads:
        try:
            for block in blocks:
                waiting.append(threads.submit(embed_block, job, block, stop.is_set))
                if len(waiting) > cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stop.set()
            threads.shutdown(wait=True, cancel_futures=True)
