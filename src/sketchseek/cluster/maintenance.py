"""Keeping a library's table fast: few fragments, indexes for what is searched and filtered, no old versions."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta

from sketchseek.cluster.gallery import EXACT_BELOW
from sketchseek.cluster.storage import storage_errors
from sketchseek.cluster.table import IS_PHOTO, Snapshot, Table
from sketchseek.cluster.vector_index import Mapper, update_index
from sketchseek.cluster.word_search import FULL_TEXT, GRAMS

FRAGMENTS = 32
"""Small fragments that may come together before they are merged."""

ROWS = 250_000
"""Rows of a merged fragment."""

KEPT = timedelta(days=7)
"""Age at which old versions, and fragments that were never committed, are deleted."""

INDEXED = ("id", "path", "folder", "mtime_ns")
"""Columns with an index of their own: they are filtered."""


TOKENS = {
    "base_tokenizer": "whitespace",
    "lower_case": False,
    "stem": False,
    "remove_stop_words": False,
    "ascii_folding": False,
    "max_token_length": None,
    "with_position": True,
}
"""The full-text index takes words as they are: ``search.words`` has split and normalized them, as in a catalog."""


def optimize(table: Table, *, exact_below: int = EXACT_BELOW, mapper: Mapper | None = None) -> Snapshot:
    """Merge small fragments, bring the indexes up to date, and delete old versions.

    If another process commits at the same time, what conflicts with it is left for the next run.

    Args:
        table: The library's table.
        exact_below: See ``gallery.EXACT_BELOW``.
        mapper: Where the index of embeddings is built; see ``vector_index.update_index``.
    """
    from lance.commit import CommitConflictError

    with storage_errors(table.library):
        snapshot = table.latest()
        with suppress(CommitConflictError):
            if sum(one.count_rows() < ROWS for one in snapshot.dataset.get_fragments()) > FRAGMENTS:
                snapshot.dataset.optimize.compact_files(target_rows_per_fragment=ROWS)
        if table.latest().dataset.count_rows(filter=IS_PHOTO) >= exact_below:
            with suppress(CommitConflictError):
                _index_columns(table.latest())
            with suppress(CommitConflictError):
                update_index(table, mapper)
        table.latest().dataset.cleanup_old_versions(older_than=KEPT)
    return table.latest()


def _index_columns(snapshot: Snapshot) -> None:
    # Lance writes lists of trigrams for each partition: its default takes 40 s for a thousand photos, one takes 2 s.
    os.environ.setdefault("LANCE_NGRAM_NUM_PARTITIONS", "1")
    dataset = snapshot.dataset
    known = {index.name for index in dataset.describe_indices()}
    names = {f"{column}_idx": column for column in INDEXED}
    for name in names.keys() - known:
        dataset.create_scalar_index(names[name], "BTREE", name=name)
    if snapshot.has_descriptions:
        for name in (FULL_TEXT, GRAMS):
            if name in known:
                names[name] = "words"
            elif name == GRAMS:
                dataset.create_scalar_index("words", "NGRAM", name=name)
            else:
                dataset.create_scalar_index("words", "INVERTED", name=name, **TOKENS)
    if old := sorted(names.keys() & known):
        dataset.optimize.optimize_indices(index_names=old)
