"""Gradient checkpointing of a stage: less memory, since what lies between its input and output is computed again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def checkpointed(stage: nn.Module, x: Tensor) -> Tensor:
    """The output of a stage. For the gradient it is computed again, which leaves running statistics as they are."""
    output: Tensor = checkpoint(
        stage, x, use_reentrant=False, context_fn=lambda: (contextlib.nullcontext(), _same_statistics(stage))
    )
    return output


@contextlib.contextmanager
def _same_statistics(stage: nn.Module) -> Iterator[None]:
    """Batch normalization measures a batch, but does not add it to its running statistics a second time."""
    norms = [module for module in stage.modules() if isinstance(module, _BatchNorm)]
    before = [module.momentum for module in norms]
    for module in norms:
        module.momentum = 0.0
    try:
        yield
    finally:
        for module, momentum in zip(norms, before, strict=True):
            module.momentum = momentum
