"""What test_faults.py does in a process with faults: python fault_child.py ACTION FOLDER. Prints its outcome as JSON.

An error of sketchseek is an outcome; any other exception ends the process with a traceback.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from starlette.testclient import TestClient

from sketchseek.errors import SketchseekError
from sketchseek.search.library import Library
from sketchseek.server.app import create_app
from sketchseek.server.sharing import Sharing
from sketchseek.server.thumbnails import ThumbnailCache
from sketchseek.server.users import User, Users, hash_password, hash_token, write_users

STROKES = [[[0, 50, 100], [0, 9, 100]]]
PASSWORD = "correct horse battery"


def everything(folder: Path) -> object:
    """Index, change, synchronize, search, and serve to a user who logs in."""
    with Library.open(folder / "library", folder / "model", create=True) as library:
        added = library.add([folder / "photos"])
        first = library.sync()
        sorted((folder / "photos").rglob("*.jpg"))[3].unlink()
        second = library.sync()
        found = [(result.id, round(result.score, 4)) for result in library.search(STROKES, k=100)]
        return [
            [added.indexed, added.failed],
            [first.indexed, first.unchanged, first.removed],
            [second.indexed, second.unchanged, second.removed],
            found,
            library.verify().problems,
            _served(library, folder),
        ]


def _served(library: Library, folder: Path) -> object:
    users = [
        User("ann", "password", "search", hash_password(PASSWORD)),
        User("bot", "token", "search", hash_token("sks_bot")),
    ]
    write_users(folder / "users", {user.name: user for user in users})
    sharing = Sharing(users=Users(folder / "users"))
    app = create_app(library, thumbnails=ThumbnailCache(folder / "thumbnails"), sharing=sharing)
    statuses: list[object] = []
    with TestClient(app, base_url="http://127.0.0.1:8765", follow_redirects=False) as client:
        statuses.append(client.get("/api/v1/status").status_code)
        statuses.append(client.post("/login", data={"name": "ann", "password": PASSWORD}).status_code)
        statuses += [client.post("/api/v1/search/sketch", json={"strokes": STROKES}).status_code for _ in range(20)]
        token = {"Authorization": "Bearer sks_bot"}
        statuses.append(client.get("/api/v1/status", headers=token).status_code)
        wrong = [client.post("/login", data={"name": "ann", "password": "x"}).status_code for _ in range(7)]
        # A slow machine gets an attempt back meanwhile.
        statuses.append([wrong[:5], 429 in wrong])
        statuses.append(client.get("/api/v1/photos/1/thumbnail?size=160").status_code)
        statuses.append(client.get("/api/v1/status").status_code)  # the session lives on
    return statuses


def index(folder: Path) -> object:
    """Index; return how many photos were reported at most, the report, and the failures."""
    reported = 0

    def note(progress: object) -> None:
        nonlocal reported
        reported = max(reported, int(getattr(progress, "indexed", 0) or 0))

    try:
        with Library.open(folder / "library", folder / "model", create=True) as library:
            report = library.add([folder / "photos"], progress=note)
            return {"indexed": report.indexed, "failed": report.failed, "reported": reported}
    except SketchseekError as error:
        return {"refused": str(error), "reported": reported}


def search(folder: Path) -> object:
    """Search an existing library."""
    try:
        with Library.open(folder / "library") as library:
            return [(result.id, round(result.score, 4)) for result in library.search(STROKES, k=100)]
    except SketchseekError as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    action = {"everything": everything, "index": index, "search": search}[sys.argv[1]]
    sys.stdout.write(json.dumps(action(Path(sys.argv[2]))))
