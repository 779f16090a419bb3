"""Upgrading a catalog that an earlier version of sketchseek wrote, after a backup."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sketchseek.atomic_write import atomic_path, make_folders
from sketchseek.search.catalog.schema import SCHEMA, VERSION, statements

FROM = frozenset({3, 4})
"""Formats that can be upgraded to the current one."""

BACKUPS = "backups"


def back_up(connection: sqlite3.Connection, library: Path) -> Path:
    """Copy a catalog to the folder ``backups`` of its library; return the copy's path.

    Raises:
        OSError: The folder cannot be written to, or the disk is full.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    make_folders(library / BACKUPS)
    number = 1
    while (path := library / BACKUPS / f"catalog-format{version}-{number}.db").exists():
        number += 1
    with atomic_path(path) as aside:
        copy = sqlite3.connect(aside)
        try:
            connection.backup(copy)
        finally:
            copy.close()
    return path


def upgrade_tables(connection: sqlite3.Connection, fingerprint: str) -> None:
    """Write the rows of an earlier format into the tables of this one, which have checksums. Call inside a transaction.

    Args:
        connection: Open for writing.
        fingerprint: Identity of the embedding space; see ``embedding_checksum``.
    """
    others = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name != 'photo_removed'"
    ).fetchall()
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("DROP INDEX photos_by_digest")
    for table in ("photos", "removals", "staged"):
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    for statement in statements(SCHEMA):
        if statement.lstrip().startswith("CREATE") and statement.split()[2] not in there:
            connection.execute(statement)
    facts = "id, path, size, mtime_ns, digest, width, height, added"
    connection.execute(
        f"INSERT INTO photos ({facts}, embedding, checksum, embedding_checksum)"
        f" SELECT {facts}, embedding, row_checksum({facts}), embedding_checksum(?, id, embedding) FROM old_photos",
        (fingerprint,),
    )
    connection.execute("INSERT INTO removals SELECT seq, id, ~id FROM old_removals")
    staged = "id, size, mtime_ns, digest, width, height, embedding, reason"
    connection.execute(f"INSERT INTO staged SELECT {staged}, row_checksum({staged}) FROM old_staged")
    for table in ("photos", "removals"):
        # Ids that were given must not be given again, also if their rows are gone.
        last = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name IN (?, ?)", (table, f"old_{table}"))
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, last.fetchone()[0] or 0))
    for table in ("photos", "removals", "staged"):
        connection.execute(f"DROP TABLE old_{table}")
    for (sql,) in others:
        connection.execute(sql)
    connection.execute(f"PRAGMA user_version = {VERSION}")
