"""Results as HTML, for notebooks."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sketchseek.errors import ImageError
from sketchseek.images import ImageSource, open_image

if TYPE_CHECKING:
    from sketchseek.search.results import SearchResult

SIDE = 160
"""Longest side of a thumbnail, in pixels."""

SHOWN = 24
"""Maximum number of results with a picture."""


def result_html(result: SearchResult, read: Callable[[SearchResult], ImageSource] | None = None) -> str:
    """Return a result as a figure: a small copy of the photo inside the page, its rank, name and score.

    Args:
        result: The result.
        read: Returns where a photo is read from; by default its path.
    """
    name = html.escape(result.path.name.encode("utf-8", "replace").decode())
    path = html.escape(str(result.path).encode("utf-8", "replace").decode())
    picture = _picture(result.path if read is None else read(result))
    return (
        f'<figure style="display:inline-block;margin:4px;max-width:{SIDE}px;vertical-align:top" title="{path}">'
        f'{picture}<figcaption style="font-size:small;overflow-wrap:anywhere">'
        f"{result.rank}. {name} <small>({result.score:.3f})</small></figcaption></figure>"
    )


def results_html(
    results: Sequence[SearchResult],
    *,
    limit: int = SHOWN,
    read: Callable[[SearchResult], ImageSource] | None = None,
) -> str:
    """Return results as figures, best first; beyond ``limit``, only their number. See ``result_html``."""
    figures = "".join(result_html(result, read) for result in results[:limit])
    more = len(results) - limit
    return f"<div>{figures or 'No results.'}</div>" + (f"<p>… and {more:,} more</p>" if more > 0 else "")


def _picture(source: ImageSource) -> str:
    try:
        image = open_image(source, at_least=SIDE)
    except ImageError as error:
        return f"<p><em>{html.escape(error.reason)}</em></p>"
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'
