"""The option that names a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sketchseek.search.library import Library

_Command = TypeVar("_Command", bound=Callable[..., Any])


def ray_option(command: _Command) -> _Command:
    """Add the option ``--ray-address``."""
    return click.option(
        "--ray-address",
        metavar="ADDRESS",
        help="Embed on a Ray cluster, such as ray://host:10001, or local for one on this machine; only for a library "
        "in Lance. Default: threads of this process.",
    )(command)


def use_ray(library: Library, address: str | None) -> None:
    """Let a library embed photos on a Ray cluster, unless the address is None.

    Raises:
        click.UsageError: The library is not one in Lance.
    """
    if address is None:
        return
    from sketchseek.search.local_library import LocalLibrary

    if isinstance(library, LocalLibrary):
        raise click.UsageError("--ray-address needs a library in Lance; name it by a URI, such as s3://bucket/library.")
    from sketchseek.cluster.library import LanceLibrary
    from sketchseek.cluster.ray_runner import RayRunner

    assert isinstance(library, LanceLibrary)
    library.runner = RayRunner(address)
