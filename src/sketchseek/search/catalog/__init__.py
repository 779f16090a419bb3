"""The catalog: every photo, embedding and failure of a library, in one SQLite file. All SQL is in this package.

Invariants that readers rely on:

- An id is never reused, and ids grow with every photo that is added.
- The embedding of an id never changes, unless ``CatalogState.revision`` grows: then every embedding was replaced.
- Removing an id adds a row to ``removals``.

So a reader that knows the last id and the last removal it has seen catches up with two range queries.
"""

from sketchseek.search.catalog.catalog import Catalog, create_catalog, is_library, write_catalog
from sketchseek.search.catalog.metadata import CatalogState, LibraryMetadata
from sketchseek.search.catalog.photos import PhotoFacts, PhotoFilter, Row
from sketchseek.search.catalog.salvage import Salvage, SavedPhoto, salvage
from sketchseek.search.catalog.schema import FILE
from sketchseek.search.catalog.text_tables import Description
from sketchseek.search.catalog.upgrade import OldFormatError, upgrade_catalog
from sketchseek.search.catalog.word_tables import TextMatch

__all__ = [
    "FILE",
    "Catalog",
    "CatalogState",
    "Description",
    "LibraryMetadata",
    "OldFormatError",
    "PhotoFacts",
    "PhotoFilter",
    "Row",
    "Salvage",
    "SavedPhoto",
    "TextMatch",
    "create_catalog",
    "is_library",
    "salvage",
    "upgrade_catalog",
    "write_catalog",
]
