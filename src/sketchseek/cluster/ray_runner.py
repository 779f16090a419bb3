"""Embedding blocks of photos with Ray Data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

from sketchseek.cluster.embedding import Job, Task, Written, embed_block
from sketchseek.cluster.extra import require_extra
from sketchseek.cluster.runners import Block
from sketchseek.errors import ConfigError
from sketchseek.execution import uses_gpu

STORE_BYTES = 128 << 20
"""Memory of a local cluster's object store. Only names and counts pass through it; photos do not."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

LOCAL = "local"
"""The address of a cluster with this machine's cores, which ends with the run."""


class RayRunner:
    """Embeds blocks on a Ray cluster, one block at a time on each core, or on each GPU; see ``runners.Runner``.

    Args:
        address: Address of the cluster, or ``LOCAL``. Where this process is already connected to one, that is used.
    """

    def __init__(self, address: str = LOCAL) -> None:
        require_extra("ray")
        self._address = address

    def __call__(self, job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
        """Embed blocks. Ray does a lost worker's block again; only what it returns is committed."""
        items = [{"block": json.dumps([asdict(task) for task in block])} for block in blocks]
        if not items:
            return
        with self._connected():
            import ray.data

            ray.data.DataContext.get_current().enable_progress_bars = False
            embedded = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
                _RayWorker,
                batch_size=1,
                num_cpus=1,
                num_gpus=1 if uses_gpu() else None,
                fn_constructor_args=(asdict(job),),
                compute=ray.data.ActorPoolStrategy(min_size=1, max_size=len(items)),
            )
            for row in embedded.iter_rows():
                yield Written(**json.loads(row["written"]))

    def map(self, function: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
        """Call a function for each item on the cluster, and yield what it returns. Lost calls are made again."""
        with self._connected():
            import ray

            remote = ray.remote(num_cpus=1)(function)
            yield from ray.get([remote.remote(item) for item in items])

    @contextmanager
    def _connected(self) -> Iterator[None]:
        import ray

        if ray.is_initialized():
            yield
            return
        start_ray(self._address)
        try:
            yield
        finally:
            ray.shutdown()


def start_ray(address: str = LOCAL, **options: Any) -> None:
    """Start a local Ray, or connect to a cluster.

    Args:
        address: See ``RayRunner``.
        options: Further arguments of ``ray.init``.

    Raises:
        ConfigError: Ray cannot be started or reached.
    """
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine
    options |= {"log_to_driver": False, "configure_logging": False}
    if address == LOCAL:
        options = {"include_dashboard": False, "object_store_memory": STORE_BYTES} | options
    try:
        ray.init(address, **options)
    except Exception as error:  # Ray raises plain exceptions, too
        ray.shutdown()
        raise ConfigError(
            f"Ray cannot be started or reached ({type(error).__name__}: {error}).",
            subject=address,
            remedy="Check --ray-address, and that every machine has the same versions of Ray and Python. A busy "
            "machine may need more than the 30 seconds that Ray gives its processes to start: try again.",
        ) from error


class _RayWorker:
    """An actor; its process keeps the encoder between blocks."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = Job(**job)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        written = []
        for block in batch["block"]:
            tasks = [Task(**task) for task in json.loads(block)]
            written.append(json.dumps(asdict(embed_block(self._job, tasks))))
        return {"written": written}
