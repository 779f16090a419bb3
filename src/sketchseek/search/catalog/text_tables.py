"""The words of photos (file and folder names, captions, keywords, camera, date, place) and full-text search in them.

``descriptions`` has one row for each photo whose file was read for words and colors. ``words`` is an FTS5 table with
the same ids; its texts are already split by ``sketchseek.search.words``. ``terms`` holds every distinct word, and
``term_grams`` its trigrams, which find words with typos.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.photo_metadata import PhotoMetadata, date_words
from sketchseek.search.catalog.checksums import row_checksum
from sketchseek.search.catalog.schema import DESCRIPTION, WORDS
from sketchseek.search.catalog.sidecar_table import Sidecar, SidecarTable
from sketchseek.search.index.protocol import Ids
from sketchseek.search.scan import SEPARATOR, lies_in
from sketchseek.search.words import allowed_typos, grams, phrases_of, typos, words_of

_PAGE = 500
_CANDIDATES = 200
_WEIGHTS = "8.0, 4.0, 6.0, 6.0, 2.0, 3.0, 5.0"
"""bm25's weights of the columns: name, folder, caption, keywords, camera, taken, place."""


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


@dataclass(frozen=True)
class TextMatch:
    """Photos whose words match a query equally well in kind.

    Attributes:
        ids: Best first, (n,).
        scores: bm25 or the like, (n,); lower is better. Only comparable within one ``TextMatch``.
    """

    ids: Ids
    scores: np.ndarray[tuple[int], np.dtype[np.float64]]


class TextTables(SidecarTable):
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
        columns = [*self._path_texts(path), *self._metadata_texts(every)]
        words: list[str | int] = [photo, *map(" ".join, columns)]
        self._do(
            "INSERT OR REPLACE INTO descriptions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *values,
            row_checksum(*values),
            row_checksum(*words),
        )
        self._do("DELETE FROM words WHERE rowid = ?", photo)
        self._do(
            "INSERT INTO words (rowid, name, folder, caption, keywords, camera, taken, place)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *words,
        )
        self._add_terms({word for column in columns for word in column})

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
        name, folder = self._path_texts(path)
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

    def _metadata_texts(self, meta: PhotoMetadata) -> list[list[str]]:
        """Return the words of captions and so on, by column of ``words``."""
        return [
            words_of(text) for text in (meta.caption, meta.keywords, meta.camera, date_words(meta.taken), meta.place)
        ]

    def _path_texts(self, path: bytes) -> tuple[list[str], list[str]]:
        """Return the words of a photo's name and of its folders, from the library's folder down."""
        folder, name = os.path.split(path)
        for root in sorted((row[0] for row in self._rows("SELECT path FROM roots")), key=len):
            if lies_in(folder, root):
                folder = folder[len(os.path.dirname(root)) :]  # noqa: PTH120  on bytes
                break
        stem = os.path.splitext(name)[0]  # noqa: PTH122  on bytes
        texts = (stem, folder.replace(SEPARATOR, b" "))
        first, second = (words_of(text.decode("utf-8", "replace")) for text in texts)
        return first, second

    def _add_terms(self, words: set[str]) -> None:
        for word in words:
            if allowed_typos(word) and self._do("INSERT OR IGNORE INTO terms (term) VALUES (?)", word):
                self._do(
                    "INSERT INTO term_grams (rowid, padded) SELECT id, '##' || term || '##' FROM terms WHERE term = ?",
                    word,
                )

    # --- searching ----------

    def match_text(self, text: str, *, enough: int | None = None) -> list[TextMatch]:
        """Search for words.

        Args:
            text: Words in any order; see ``sketchseek.search.words``.
            enough: Leave out worse kinds of matches once this many photos are found; None for all kinds.

        Returns:
            Matches by kind, best kind first; kinds that find nothing are left out. Photos with every word as it is;
            with every word as the beginning of one of theirs; with words that contain those of the query, or have a
            typo, where a word of the query begins none; with some of the words. A photo can be in several.
        """
        phrases = list(phrases_of(text))
        if not phrases:
            return []
        found: list[TextMatch] = []
        exact = [_quoted(phrase) for phrase in phrases]
        prefix = [f"{one} *" for one in exact]
        expanded: list[str] = []
        for kind in range(4 if len(phrases) > 1 else 3):
            if kind == 2:
                expanded = self._all_expanded(phrases)
                if expanded == prefix:
                    continue
            match = (
                self._match_any(expanded) if kind == 3 else self._match(" AND ".join((exact, prefix, expanded)[kind]))
            )
            if len(match.ids):
                found.append(match)
            if enough is not None and len(match.ids) >= enough:
                break
        return found

    def ids_with_words(self, text: str) -> Ids:
        """Return the ids of the photos that have every word of a text, as in ``match_text``, ascending."""
        phrases = list(phrases_of(text))
        if not phrases:
            return np.zeros(0, np.int64)
        expression = " AND ".join(self._all_expanded(phrases))
        rows = self._rows("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid", expression)
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def _all_expanded(self, phrases: Sequence[list[str]]) -> list[str]:
        return [self._expanded(phrase, f"{_quoted(phrase)} *") for phrase in phrases]

    def _match(self, expression: str) -> TextMatch:
        rows = self._rows(
            f"SELECT rowid, bm25(words, {_WEIGHTS}) AS score FROM words WHERE words MATCH ? ORDER BY score, rowid",
            expression,
        )
        return TextMatch(
            np.fromiter((row[0] for row in rows), np.int64, len(rows)),
            np.fromiter((row[1] for row in rows), np.float64, len(rows)),
        )

    def _match_any(self, expressions: Sequence[str]) -> TextMatch:
        """Find photos with some of several words. The score is the sum of the words' inverse document frequencies.

        bm25 would take a hundred times as long where a word is in many photos.
        """
        total = self._one("SELECT count(*) FROM descriptions")
        found = [self._rows("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid", one) for one in expressions]
        ids = [np.fromiter((row[0] for row in rows), np.int64, len(rows)) for rows in found]
        weights = [np.full(len(one), -math.log(1 + total / max(len(one), 1))) for one in ids]
        unique, place = np.unique(np.concatenate(ids), return_inverse=True)
        scores = np.bincount(place, np.concatenate(weights), len(unique)).astype(np.float64)
        order = np.argsort(scores, kind="stable")
        return TextMatch(unique[order], scores[order])

    def _expanded(self, phrase: list[str], expression: str) -> str:
        """Return an expression that also finds words that contain a word, or differ by typos, if none begins so."""
        word = phrase[0]
        if len(phrase) > 1 or not allowed_typos(word):
            return expression
        if self._one("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", expression) is not None:
            return expression
        found = [term for term in self._terms(_quoted([word])) if word in term]
        if not found:
            most = allowed_typos(word)
            near = self._terms(" OR ".join(_quoted([gram]) for gram in sorted(grams(word))))
            distances = {term: typos(word, term, most) for term in near}
            best = min(distances.values(), default=most + 1)
            found = [term for term, distance in distances.items() if distance == best <= most]
        return f"({' OR '.join([expression, *(_quoted([term]) for term in found)])})"

    def _terms(self, expression: str) -> list[str]:
        rows = self._rows(
            "SELECT term FROM terms WHERE id IN"
            " (SELECT rowid FROM term_grams WHERE term_grams MATCH ? ORDER BY rank LIMIT ?)",
            expression,
            _CANDIDATES,
        )
        return [row[0] for row in rows]


def _quoted(words: Sequence[str]) -> str:
    """Return words as an FTS5 phrase. They have no quotes: they consist of letters, numbers and marks."""
    return f'"{" ".join(words)}"'
