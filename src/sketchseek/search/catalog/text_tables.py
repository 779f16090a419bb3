"""The words of photos (file and folder names, captions, keywords, camera, date, place) and full-text search in them.

``descriptions`` has one row for each photo whose file was read for words and colors, and ``words`` the same ids.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.photo_metadata import PhotoMetadata
from sketchseek.search.catalog.checksums import row_checksum
from sketchseek.search.catalog.schema import DESCRIPTION, WORDS
from sketchseek.search.catalog.sidecar_table import Sidecar, SidecarTable
from sketchseek.search.catalog.word_tables import WordTables
from sketchseek.search.index.protocol import Ids
from sketchseek.search.photo_words import metadata_words, path_words
from sketchseek.search.scan import lies_in

_PAGE = 500


@dataclass(frozen=True)
class Description:
    """What indexing reads from a photo's file besides its pixels for the encoder.

    Attributes:
        metadata: Captions, keywords and so on.
        colors: Color signature (``sketchseek.search.colors``); empty if there is none.
        picture_hash: Perceptual hash (``sketchseek.search.picture_hash``); empty if there is none.
        sidecar: What its XMP sidecars say, if that is known.
    """

    metadata: PhotoMetadata
    colors: bytes = b""
    picture_hash: bytes = b""
    sidecar: Sidecar | None = None


class TextTables(SidecarTable, WordTables):
    """The tables ``descriptions``, ``words``, ``terms`` and ``term_grams``."""

    # --- writing ----------

    def describe(self, photo: int, path: bytes, description: Description) -> None:
        """Record the description of a photo. Call inside a ``transaction``.

        What is known of its sidecars stays, unless the description has something newer.
        """
        meta = description.metadata
        values = (photo, *astuple(meta), description.colors, description.picture_hash)
        if description.sidecar is not None:
            self._set_sidecar(photo, description.sidecar)
        sidecar = self.sidecar_of(photo)
        every = sidecar.metadata.followed_by(meta) if sidecar else meta
        texts = [" ".join(words) for words in (*self._path_words(path), *metadata_words(every))]
        self._do(
            "INSERT OR REPLACE INTO descriptions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *values,
            row_checksum(*values),
            row_checksum(photo, *texts),
        )
        self._add_words(photo, texts)

    def set_sidecar(self, photo: int, path: bytes, sidecar: Sidecar | None) -> None:
        """Record what a photo's sidecars say, or that it has none any more. Call inside a ``transaction``."""
        self._set_sidecar(photo, sidecar)
        self._describe_again(photo, photo, path)

    def copy_description(self, photo: int, copy: int, path: bytes) -> None:
        """Give a copy of a photo the same description, with its own path. Call inside a ``transaction``.

        A damaged description is not copied: an update reads the copy's file. So it does with the copy's sidecars.
        """
        self._describe_again(photo, copy, path)

    def _describe_again(self, photo: int, target: int, path: bytes) -> None:
        for row in self._rows(
            "SELECT caption, keywords, camera, taken, place, colors, picture_hash FROM descriptions"
            f" WHERE id = ? AND checksum IS row_checksum({DESCRIPTION})",
            photo,
        ):
            self.describe(target, path, Description(PhotoMetadata(*row[:5]), *row[5:]))

    def rename_words(self, photo: int, path: bytes) -> None:
        """Record the words of a photo's new path. Call inside a ``transaction``."""
        # Damaged words do not get a valid checksum: an update reads them again.
        sealed = f"(SELECT row_checksum({WORDS}) FROM words WHERE words.rowid = descriptions.id)"
        if self._do(f"DELETE FROM descriptions WHERE id = ? AND words_checksum IS NOT {sealed}", photo):
            self._do("DELETE FROM words WHERE rowid = ?", photo)
        name, folder = self._path_words(path)
        self._do("UPDATE words SET name = ?, folder = ? WHERE rowid = ?", " ".join(name), " ".join(folder), photo)
        self._do(f"UPDATE descriptions SET words_checksum = {sealed} WHERE id = ?", photo)
        self._add_terms({*name, *folder})

    def forget_descriptions(self, condition: str) -> None:
        """Delete the descriptions of photos that an SQL condition on ``photos p`` selects."""
        chosen = f"(SELECT p.id FROM photos p WHERE {condition})"
        self._do(f"DELETE FROM descriptions WHERE id IN {chosen}")
        self._do(f"DELETE FROM words WHERE rowid IN {chosen}")

    def undescribed(self) -> Iterator[tuple[int, bytes, int, int]]:
        """Yield id, path, size and file time of the photos without a description."""
        last = 0
        while rows := self._rows(
            "SELECT p.id, p.path, p.size, p.mtime_ns FROM photos p LEFT JOIN descriptions d ON d.id = p.id"
            " WHERE d.id IS NULL AND p.id > ? ORDER BY p.id LIMIT ?",
            last,
            _PAGE,
        ):
            last = rows[-1][0]
            yield from rows

    def undescribed_count(self) -> int:
        """Return the number of photos without a description: text searches do not find them."""
        return int(
            self._one("SELECT count(*) FROM photos p WHERE NOT EXISTS (SELECT 1 FROM descriptions d WHERE d.id = p.id)")
        )

    def metadata_of(self, photo: int) -> PhotoMetadata | None:
        """Return a photo's captions, keywords and so on, or None if its file was not read for them."""
        rows = self._rows("SELECT caption, keywords, camera, taken, place FROM descriptions WHERE id = ?", photo)
        if not rows:
            return None
        sidecar, own = self.sidecar_of(photo), PhotoMetadata(*rows[0])
        return sidecar.metadata.followed_by(own) if sidecar else own

    def description_of(self, photo: int) -> Description | None:
        """Return a photo's description if it matches its checksum; its texts are also those of its sidecars."""
        rows = self._rows(
            f"SELECT colors, picture_hash FROM descriptions WHERE id = ? AND checksum IS row_checksum({DESCRIPTION})",
            photo,
        )
        metadata = self.metadata_of(photo)
        return Description(metadata, bytes(rows[0][0]), bytes(rows[0][1])) if rows and metadata else None

    def color_signatures(self, length: int) -> tuple[Ids, npt.NDArray[np.uint8]]:
        """Return the ids, (n,), and color signatures, (n, length), of the photos that have one."""
        rows = self._rows("SELECT id, colors FROM descriptions WHERE length(colors) = ? ORDER BY id", length)
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        return ids, np.frombuffer(b"".join(row[1] for row in rows), np.uint8).reshape(-1, length)

    def picture_hash_of(self, photo: int) -> bytes:
        """Return a photo's perceptual hash, empty if it has none that matches its checksum."""
        found = self._one(
            f"SELECT picture_hash FROM descriptions WHERE id = ? AND checksum IS row_checksum({DESCRIPTION})", photo
        )
        return bytes(found or b"")

    def _described(self) -> int:
        return int(self._one("SELECT count(*) FROM descriptions"))

    def _path_words(self, path: bytes) -> tuple[list[str], list[str]]:
        """Return the words of a photo's name and of its folders, from the library's folder down."""
        folder, name = os.path.split(path)
        for root in sorted((row[0] for row in self._rows("SELECT path FROM roots")), key=len):
            if lies_in(folder, root):
                folder = folder[len(os.path.dirname(root)) :]  # noqa: PTH120  on bytes
                break
        return path_words(name.decode("utf-8", "replace"), folder.decode("utf-8", "replace"))
