"""Arguments that name a path, or an object in object storage by its URI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

Address = Path | str
"""A path, or a URI such as ``s3://bucket/photos`` as text: a path would merge its slashes."""

if TYPE_CHECKING:
    _Base = click.ParamType[Address]
else:
    _Base = click.ParamType  # not generic in older versions


class AddressType(_Base):
    """Converts an argument to an ``Address``."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Return text with a scheme as it is, and other text as a path."""
        from sketchseek.search.object_path import is_uri

        return value if isinstance(value, str) and is_uri(value) else Path(value)


ADDRESS = AddressType()
