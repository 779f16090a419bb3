"""New embeddings that a re-embed gathers beside the current ones, until it replaces them all at once."""

from __future__ import annotations

from collections.abc import Iterator

from sketchseek.search.catalog.metadata import LibraryMetadata
from sketchseek.search.catalog.photos import PhotoTables, Row
from sketchseek.search.catalog.schema import STAGED_ROW

_PAGE = 1000


class StagingTable(PhotoTables):
    """The table ``staged``. Call the methods that write inside a ``transaction``."""

    def start_staging(self, fingerprint: str) -> None:
        """Drop what was staged for another model."""
        self._do("DELETE FROM staged")
        self._set_meta(staged_fingerprint=fingerprint)

    def unstaged_paths(self) -> Iterator[bytes]:
        """Yield the paths of photos that have no staged row yet."""
        last = 0
        while rows := self._rows(
            "SELECT p.id, p.path FROM photos p LEFT JOIN staged s ON s.id = p.id"
            " WHERE p.id > ? AND s.id IS NULL ORDER BY p.id LIMIT ?",
            last,
            _PAGE,
        ):
            last = rows[-1][0]
            yield from (row[1] for row in rows)

    def stage(self, row: Row) -> None:
        """Stage a photo's new embedding.

        The file may have changed since it was indexed: the row's digest is that of the bytes that were embedded.
        """
        self._stage(*row.columns(), row.embedding, None)

    def stage_failure(self, path: bytes, reason: str, size: int = -1, mtime_ns: int = -1) -> None:
        """Stage the failure of a photo that can no longer be read. Without a size, the next run tries it again."""
        self._stage(path, size, mtime_ns, None, None, None, None, reason)

    def _stage(self, path: bytes, *values: object) -> None:
        self._do(
            "INSERT OR REPLACE INTO staged SELECT id, ?, ?, ?, ?, ?, ?, ?, row_checksum(id, ?, ?, ?, ?, ?, ?, ?)"
            " FROM photos WHERE path = ?",
            *values,
            *values,
            path,
        )

    def staged_counts(self) -> tuple[int, int]:
        """Return how many photos are staged, and how many of them failed."""
        ((done, failed),) = self._rows("SELECT count(*), count(reason) FROM staged")
        return int(done), int(failed)

    def apply_staged(self, metadata: LibraryMetadata) -> tuple[int, int]:
        """Replace every embedding by its staged one, and record the new model.

        Returns:
            Number of photos embedded, and number of photos that failed and were removed.
        """
        revision = self.state().revision + 1
        # What is damaged must not get valid checksums below.
        if self.damaged_photos() or self._one(f"SELECT 1 FROM staged WHERE checksum IS NOT row_checksum({STAGED_ROW})"):
            raise self.corrupt("damaged (photos do not match their checksums).")
        # Photos may have been removed after an earlier, interrupted run staged them.
        self._do("DELETE FROM staged WHERE id NOT IN (SELECT id FROM photos)")
        failed = self._rows(
            "SELECT p.path, s.reason, s.size, s.mtime_ns FROM staged s JOIN photos p USING (id) "
            "WHERE s.embedding IS NULL"
        )
        for path, reason, size, mtime_ns in failed:
            self.fail(path, reason, size, mtime_ns)
        # The words of a file that has changed are read again by the next update.
        self.forget_descriptions("p.digest IS NOT (SELECT s.digest FROM staged s WHERE s.id = p.id)")
        names = "size, mtime_ns, digest, width, height, embedding"
        self._do(f"UPDATE photos SET ({names}) = (SELECT {names} FROM staged s WHERE s.id = photos.id)")
        self._do("DELETE FROM staged")
        self.set_model(metadata)
        self._seal_rows()
        self._set_meta(revision=revision, staged_fingerprint="")
        return self.count(), len(failed)
