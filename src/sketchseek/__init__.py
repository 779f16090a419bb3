"""Sketch-based image retrieval: find photos with a sketch.

The names below are imported on first use, so that ``import sketchseek`` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Encoder",
    "Example",
    "Filter",
    "Library",
    "Query",
    "SearchParams",
    "SearchResult",
    "SketchseekError",
    "__version__",
    "load_encoder",
]

_HOME = {
    "Encoder": "sketchseek.encoder",
    "load_encoder": "sketchseek.encoder",
    "Library": "sketchseek.search.library",
    "Example": "sketchseek.search.combined_query",
    "Query": "sketchseek.search.combined_query",
    "Filter": "sketchseek.search.params",
    "SearchParams": "sketchseek.search.params",
    "SearchResult": "sketchseek.search.results",
    "SketchseekError": "sketchseek.errors",
}

if TYPE_CHECKING:
    from sketchseek.encoder import Encoder, load_encoder
    from sketchseek.errors import SketchseekError
    from sketchseek.search.combined_query import Example, Query
    from sketchseek.search.library import Library
    from sketchseek.search.params import Filter, SearchParams
    from sketchseek.search.results import SearchResult


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'sketchseek' has no attribute {name!r}")
