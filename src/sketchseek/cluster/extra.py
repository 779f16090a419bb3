"""The libraries that this package needs, which the extra ``cluster`` installs."""

from __future__ import annotations

from importlib.util import find_spec

from sketchseek.errors import MissingExtraError


def require_extra(*names: str, for_what: str = "libraries in object storage") -> None:
    """Raise MissingExtraError unless the modules are installed; ``for_what`` says in the plural what needs them."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"{for_what} need {', '.join(missing)}, which is not installed.",
            remedy="Install it: pip install 'sketchseek[cluster]'",
        )
