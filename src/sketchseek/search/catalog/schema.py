"""The tables of a catalog."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from sketchseek.search.scan import SEPARATOR

FILE = "catalog.db"
LIBRARY_FILE = "library.json"
"""See ``sketchseek.search.library_file``."""

VERSION = 10
"""The format. A change of the tables needs a step in ``upgrade``."""

APPLICATION = 0x534B5345  # "SKSE"

WORD_TABLES = """
CREATE VIRTUAL TABLE words USING fts5(
    name, folder, caption, keywords, camera, taken, place, tokenize = 'ascii', prefix = '2 3'
);
CREATE TABLE terms (id INTEGER PRIMARY KEY, term TEXT NOT NULL UNIQUE);
CREATE VIRTUAL TABLE term_grams USING fts5(padded, content = '', tokenize = 'trigram case_sensitive 1');
"""
"""Full-text search in words; see ``word_tables``."""

SCHEMA = f"""{WORD_TABLES}
CREATE TABLE photos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest BLOB NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    embedding BLOB NOT NULL,
    added REAL NOT NULL,
    checksum INTEGER,
    embedding_checksum INTEGER
);
CREATE INDEX photos_by_digest ON photos (digest);
CREATE INDEX photos_by_time ON photos (mtime_ns);
CREATE TABLE removals (seq INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL, complement INTEGER NOT NULL);
CREATE TRIGGER photo_removed AFTER DELETE ON photos BEGIN
    INSERT INTO removals (id, complement) VALUES (old.id, ~old.id);
END;
CREATE TABLE failures (
    path BLOB PRIMARY KEY, reason TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE roots (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE excluded (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE unread (
    path BLOB NOT NULL, suffix TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (path, suffix)
) WITHOUT ROWID;
CREATE TABLE staged (
    id INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest BLOB,
    width INTEGER,
    height INTEGER,
    embedding BLOB,
    reason TEXT,
    checksum INTEGER NOT NULL
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('changes', '0'), ('revision', '0'), ('removals_floor', '0');
CREATE TABLE descriptions (
    id INTEGER PRIMARY KEY,
    caption TEXT NOT NULL,
    keywords TEXT NOT NULL,
    camera TEXT NOT NULL,
    taken TEXT NOT NULL,
    place TEXT NOT NULL,
    colors BLOB NOT NULL,
    picture_hash BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    words_checksum INTEGER NOT NULL
);
CREATE TABLE sidecars (
    id INTEGER PRIMARY KEY,
    stamp TEXT NOT NULL,
    caption TEXT NOT NULL,
    keywords TEXT NOT NULL,
    camera TEXT NOT NULL,
    taken TEXT NOT NULL,
    place TEXT NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TRIGGER description_removed AFTER DELETE ON photos BEGIN
    DELETE FROM descriptions WHERE id = old.id;
    DELETE FROM sidecars WHERE id = old.id;
    DELETE FROM words WHERE rowid = old.id;
END;
"""
ROW = "id, path, size, mtime_ns, digest, width, height, added"
"""The columns of ``photos`` that its ``checksum`` covers."""

DESCRIPTION = "id, caption, keywords, camera, taken, place, colors, picture_hash"
"""The columns of ``descriptions`` that its ``checksum`` covers."""

SIDECAR = "id, stamp, caption, keywords, camera, taken, place"
"""The columns of ``sidecars`` that its ``checksum`` covers."""

WORDS = "words.rowid, words.name, words.folder, words.caption, words.keywords, words.camera, words.taken, words.place"
"""The columns of ``words`` that the ``words_checksum`` in ``descriptions`` covers."""

STAGED_ROW = "id, size, mtime_ns, digest, width, height, embedding, reason"
"""The columns of ``staged`` that its ``checksum`` covers."""

IN_FOLDER = "((path >= ? AND path < ?) OR path = ?)"
"""Condition for a folder's own path and all paths below it; its values are ``folder_values``."""


def folder_values(folder: bytes) -> tuple[bytes, bytes, bytes]:
    """Values for ``IN_FOLDER``."""
    return (*path_range(folder), folder)


def path_range(folder: bytes) -> tuple[bytes, bytes]:
    """Range of the paths below a folder: from ``folder/`` up to, and without, ``folder0``, since 0 follows /."""
    stem = folder.rstrip(SEPARATOR)
    return stem + SEPARATOR, stem + bytes([SEPARATOR[0] + 1])


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script. ``executescript`` would commit the transaction around it."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
