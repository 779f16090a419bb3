"""What test_faults.py does in a process with faults: python fault_child.py ACTION FOLDER. Prints its outcome as JSON.

An error of sketchseek is an outcome; any other exception ends the process with a traceback.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from sketchseek.errors import SketchseekError
from sketchseek.search.library import Library
from sketchseek.search.repair import repair
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
        return refusal(error) | {"reported": reported}


def search(folder: Path) -> object:
    """Search an existing library."""
    try:
        with Library.open(folder / "library") as library:
            return [(result.id, round(result.score, 4)) for result in library.search(STROKES, k=100)]
    except SketchseekError as error:
        return refusal(error)


PERIODS = (2, 5, 13, 34, 55, 89, 144, 233)
"""Each of so many calls to the file system fails, in one round after the other."""


def rounds(folder: Path) -> object:
    """Use a library whose own files fail, again and again; return the outcome of each round.

    A round indexes into a library that has some photos, synchronizes, searches, verifies, and searches as a server
    does, and repairs. Then the fault ends, and it looks at what is there.
    """
    with Library.create(folder / "sound", folder / "model") as library:
        library.add(sorted((folder / "photos").rglob("*.jpg"))[:8])
    _restore(folder, damaged=True)
    assert repair(folder / "library").problems
    return {period: [_round(folder, period), _repair(folder, period)] for period in PERIODS}


def _round(folder: Path, period: int) -> dict[str, object]:
    _restore(folder)
    outcomes: dict[str, object] = {}
    actions = {"index": index, "sync": _sync, "search": search, "verify": _verify, "serve": _serve}
    for name, action in actions.items():
        outcomes[name] = _with_faults(action, folder, period)
    return outcomes | _state(folder)


def _repair(folder: Path, period: int) -> dict[str, object]:
    """Repair a sound and a damaged library whose files fail."""
    outcomes: dict[str, object] = {}
    for name in ("sound", "damaged"):
        _restore(folder, damaged=name == "damaged")
        outcomes[name] = _with_faults(_repaired, folder, period)
        if name == "damaged":
            repair(folder / "library")
        outcomes |= {f"{name}, {key}": value for key, value in _state(folder).items()}
    return outcomes


def _restore(folder: Path, *, damaged: bool = False) -> None:
    """Put a library with some photos in place, or one whose table of photos has lost a page."""
    shutil.rmtree(folder / "library", ignore_errors=True)
    shutil.copytree(folder / "sound", folder / "library")
    if damaged:
        file = folder / "library" / "catalog.db"
        data = file.read_bytes()
        page = data.index(b"00000.jpg") // 4096 * 4096
        file.write_bytes(data[:page] + bytes(4096) + data[page + 4096 :])


def _repaired(folder: Path) -> object:
    try:
        return repair(folder / "library").kept
    except SketchseekError as error:
        return refusal(error)


def _with_faults(action: Callable[[Path], object], folder: Path, period: int) -> object:
    os.environ["FAULTS_EVERY"] = str(period)
    try:
        return action(folder)
    finally:
        os.environ["FAULTS_EVERY"] = "0"


def _state(folder: Path) -> dict[str, object]:
    """Look at a library without faults, and index what it lacks."""
    with Library.open(folder / "library") as opened:
        kept = len(opened)
        opened.add([folder / "photos"])
        return {
            "kept": kept,
            "problems": opened.verify().problems,
            "found": [[one.id, round(one.score, 4), Path(one.path).name] for one in opened.search(STROKES, k=100)],
            "failures": len(opened.failures()),
        }


def _sync(folder: Path) -> object:
    try:
        with Library.open(folder / "library") as library:
            report = library.sync()
            return [report.indexed, report.removed]
    except SketchseekError as error:
        return refusal(error)


def _verify(folder: Path) -> object:
    try:
        with Library.open(folder / "library") as library:
            return library.verify().problems
    except SketchseekError as error:
        return refusal(error)


def _serve(folder: Path) -> object:
    """Search through the REST API; return statuses and errors."""
    try:
        library = Library.open(folder / "library", readonly=True)
    except SketchseekError as error:
        return refusal(error)
    with library:
        app = create_app(library, thumbnails=ThumbnailCache(folder / "thumbnails"))
        with TestClient(app, base_url="http://127.0.0.1:8765") as client:
            answers = [client.post("/api/v1/search/sketch", json={"strokes": STROKES}) for _ in range(3)]
            answers += [client.get("/api/v1/status"), client.get("/api/v1/photos/1")]
            return [[answer.status_code, answer.json().get("error")] for answer in answers]


def refusal(error: SketchseekError) -> dict[str, str]:
    """Return the fields of an error."""
    return {
        "refused": str(error),
        "type": type(error).__name__,
        "subject": error.subject,
        "reason": error.reason,
        "remedy": error.remedy,
    }


if __name__ == "__main__":
    action = {"everything": everything, "index": index, "search": search, "rounds": rounds}[sys.argv[1]]
    sys.stdout.write(json.dumps(action(Path(sys.argv[2]))))
