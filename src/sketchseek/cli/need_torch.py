"""The check for torch that commands of the training half make first."""

from __future__ import annotations


def need_torch() -> None:
    """Raise MissingExtraError if torch is not installed."""
    from importlib.util import find_spec

    from sketchseek.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError("training needs torch.", remedy="Install it: pip install 'sketchseek[train]'")
