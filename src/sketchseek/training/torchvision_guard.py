"""Import timm and torchvision even if torchvision's compiled operators do not load.

timm imports torchvision. The package index has only a CUDA build of torchvision for Linux. Its operators do not load
beside a CPU build of torch, and ``import torchvision`` then fails because it describes the operators ``nms`` and
``qnms``, which nothing has declared. sketchseek uses neither, so declaring their signatures is enough. A torchvision
that imports is left alone.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from sketchseek.errors import MissingExtraError

_declared: list[Any] = []  # the declarations last as long as this object does


def import_timm() -> Any:
    """Import timm; declare torchvision's missing operators first if necessary.

    Raises:
        MissingExtraError: timm is not installed.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _declare()
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
    except ImportError:
        pass  # the import below reports what is missing
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise MissingExtraError(
            f"Training needs timm ({error}).", remedy="Install it: pip install 'sketchseek[train]'"
        ) from error


def _declare() -> None:
    import torch

    signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    library: Any = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(operator + signature)
    _declared.append(library)
