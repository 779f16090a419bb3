from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from served import COUNT, may_change, picture
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.results import IndexProgress, IndexReport
from sketchseek.server.app import create_app
from sketchseek.server.background_indexing import Indexer
from sketchseek.server.dependencies import ServerState, name_libraries
from sketchseek.server.errors import ApiError
from sketchseek.server.metrics import Metrics
from sketchseek.server.routers.indexing import event_stream
from sketchseek.server.thumbnails import ThumbnailCache

LINES = [[[0, 9], [0, 9]]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of folders with photos, beside one that must not be added."""
    for folder in ("pictures/a", "pictures/b", "secret"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(4):
            picture(number + 10 * len(folder)).save(tmp_path / folder / f"{number}.png")
    (tmp_path / "pictures" / "a" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "pictures" / "way out").symlink_to(tmp_path / "secret")
    (tmp_path / "pictures" / ".hidden").mkdir()
    return tmp_path / "pictures"


@pytest.fixture
def writer(root: Path, tiny_model: ModelPackage, tmp_path: Path) -> Iterator[TestClient]:
    """A client of a server that may add folders below ``root`` to an empty library."""
    with Library.open(tmp_path / "own", tiny_model.path, create=True) as library:
        app = create_app(library, thumbnails=ThumbnailCache(tmp_path / "thumbnails"), roots=[root])
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as opened:
            yield may_change(opened)
        app.state.server.indexer.close()


def state_of(client: TestClient) -> ServerState:
    app: Any = client.app
    state: ServerState = app.state.server
    return state


def ended(client: TestClient) -> Any:
    """The state of indexing once it has ended."""
    for _ in range(400):
        state = client.get("/api/v1/indexing").json()
        if not state["running"]:
            return state
        time.sleep(0.02)
    pytest.fail("indexing never ended")


def test_a_folder_is_added_and_kept_up_with(writer: TestClient, root: Path) -> None:
    assert writer.get("/api/v1/status").json()["may"]["write"] is True
    answer = writer.post("/api/v1/folders", json={"folder": str(root / "a")})
    assert (answer.status_code, answer.json()["running"]) == (202, True)
    assert (answer.json()["what"], answer.json()["folder"]) == ("add", str(root / "a"))
    state = ended(writer)
    assert state["error"] is None
    assert (state["report"]["indexed"], state["report"]["failed"]) == (4, 1)
    assert state["progress"]["indexed"] == 4
    assert writer.get("/api/v1/status").json()["library"]["folders"] == [str(root / "a")]
    assert "broken" in writer.get("/api/v1/failures").json()["failures"][0]["path"]
    assert len(writer.post("/api/v1/search/sketch", json={"strokes": LINES}).json()["results"]) == 4

    (root / "a" / "0.png").unlink()
    picture(33).save(root / "a" / "new.png")
    assert writer.post("/api/v1/sync", json={}).status_code == 202
    state = ended(writer)
    assert (state["what"], state["report"]["indexed"], state["report"]["removed"]) == ("sync", 1, 1)


@pytest.mark.parametrize(
    ("folder", "status", "kind"),
    [
        ("{root}/../secret", 403, "FolderNotAllowed"),
        ("{root}/way out", 403, "FolderNotAllowed"),
        ("{root}/../nothing", 403, "FolderNotAllowed"),
        ("{root}more", 403, "FolderNotAllowed"),
        ("/", 403, "FolderNotAllowed"),
        ("/etc", 403, "FolderNotAllowed"),
        ("{root}/nothing", 422, "FolderNotFound"),
        ("{root}/a/0.png", 422, "FolderNotFound"),
        ("a", 422, "FolderNotAbsolute"),
        ("~", 422, "FolderNotAbsolute"),
        ("{root}/a\0", 422, "FolderNotAbsolute"),
        ("", 422, "RequestInvalid"),
    ],
)
def test_folders_elsewhere_are_not_added(writer: TestClient, root: Path, folder: str, status: int, kind: str) -> None:
    name = folder.format(root=root)
    answer = writer.post("/api/v1/folders", json={"folder": name})
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    assert writer.get("/api/v1/status").json()["library"]["folders"] == []
    if name:
        assert writer.get("/api/v1/folders", params={"below": name}).status_code == status


def test_links_out_of_the_roots_are_neither_added_nor_synced(writer: TestClient, root: Path) -> None:
    (root / "a" / "9.png").symlink_to(root.parent / "secret" / "0.png")
    (root / "a" / "again.png").symlink_to(root / "b" / "0.png")
    state_of(writer).library.add([root / "b"], follow_symlinks=True)
    writer.post("/api/v1/folders", json={"folder": str(root)})
    state = ended(writer)
    assert (state["error"], state["report"]["indexed"]) == (None, 5)  # 4, and one by its link
    reasons = {Path(one["path"]).name: one["reason"] for one in writer.get("/api/v1/failures").json()["failures"]}
    assert "leads out" in reasons["way out"]
    assert "leads out" in reasons["9.png"]

    for name in ("a", "b"):  # a whole folder becomes a link
        shutil.rmtree(root / name)
        (root / name).symlink_to(root.parent / "secret")
    writer.post("/api/v1/sync", json={})
    state = ended(writer)
    assert (state["error"], state["report"]["indexed"]) == (None, 0)
    found = writer.post("/api/v1/search/sketch", json={"strokes": LINES, "k": 50}).json()["results"]
    served = [one["id"] for one in found if "secret" in os.path.realpath(one["path"]) and Path(one["path"]).exists()]
    assert served
    for photo in served:
        for what in ("file", "thumbnail"):
            answer = writer.get(f"/api/v1/photos/{photo}/{what}")
            assert (answer.status_code, answer.json()["error"]["type"]) == (404, "PhotoFileMissing")


def test_what_may_be_added_is_listed(writer: TestClient, root: Path) -> None:
    assert writer.get("/api/v1/folders").json() == {"adding": True, "path": None, "folders": [str(root)]}
    listed = writer.get("/api/v1/folders", params={"below": str(root)}).json()
    assert listed["folders"] == [str(root / "a"), str(root / "b")]  # neither hidden ones nor links


def test_without_a_root_nothing_is_written(client: TestClient, photos: Path) -> None:
    for path, body in (("folders", {"folder": str(photos)}), ("sync", {}), ("indexing/stop", {})):
        answer = client.post(f"/api/v1/{path}", json=body)
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "ReadOnly")
        assert "--root" in answer.json()["error"]["remedy"]
    assert client.get("/api/v1/folders").json() == {"adding": False, "path": None, "folders": []}
    assert client.get("/api/v1/status").json()["may"] == {"open": False, "write": False}


def test_forms_of_other_sites_start_nothing(writer: TestClient) -> None:
    for content, kind in ((b"", ""), (b"{}", "text/plain"), (b"a=b", "application/x-www-form-urlencoded")):
        answer = writer.post("/api/v1/sync", content=content, headers={"Content-Type": kind} if kind else {})
        assert answer.status_code == (415 if content else 422)


def test_several_libraries(library: Library, root: Path, tiny_model: ModelPackage, tmp_path: Path) -> None:
    with Library.open(tmp_path / "b" / "discs.library", tiny_model.path, create=True) as other:
        other.add([root / "b"])
        app = create_app(library, other, thumbnails=ThumbnailCache(tmp_path / "thumbnails"))
        with TestClient(app, base_url="http://localhost") as client:
            listed = client.get("/api/v1/libraries").json()
            assert [(one["name"], one["photos"]) for one in listed["libraries"]] == [
                ("discs", COUNT + 1),
                ("discs 2", 4),
            ]
            assert (listed["default"], listed["writable"]) == ("discs", False)
            query = {"library": "discs 2"}
            found = client.post("/api/v1/search/sketch", params=query, json={"strokes": LINES}).json()["results"]
            assert {Path(one["path"]).parent for one in found} == {root / "b"}
            photo = found[0]["id"]
            assert client.get(f"/api/v1/photos/{photo}", params=query).json()["path"] == found[0]["path"]
            assert (
                client.get(f"/api/v1/photos/{photo}/file", params=query).content == Path(found[0]["path"]).read_bytes()
            )
            assert client.get("/api/v1/status", params=query).json()["library"]["photos"] == 4
            assert client.get("/api/v1/status").json()["library"]["photos"] == COUNT + 1
            for answer in (
                client.get("/api/v1/status", params={"library": "../discs"}),
                client.post("/api/v1/search/sketch", params={"library": "none"}, json={"strokes": LINES}),
            ):
                assert (answer.status_code, answer.json()["error"]["type"]) == (404, "LibraryNotServed")


def test_names_are_unlike(library: Library) -> None:
    assert list(name_libraries([library, library, library])) == ["discs", "discs 2", "discs 3"]


REPORT = IndexReport(indexed=2, failed=0, unchanged=0, removed=0, moved=0, skipped=0, seconds=1.0)


def test_one_run_at_a_time_and_a_stop_at_the_next_step() -> None:
    indexer, go = Indexer(Metrics()), threading.Event()

    def work(tell: Callable[[IndexProgress], object]) -> IndexReport:
        assert go.wait(20)
        tell(IndexProgress("embed", 1, 2))
        return REPORT

    indexer.start("discs", "sync", None, work)
    with pytest.raises(ApiError, match="running already"):
        indexer.start("discs", "sync", None, work)
    indexer.stop()
    go.set()
    for _ in range(400):
        if not indexer.state().running:
            break
        time.sleep(0.01)
    assert indexer.state().stopped is True
    progress = indexer.state().progress
    assert progress is not None
    assert progress.done == 1
    indexer.start("discs", "sync", None, work)  # a stop is over with its run
    indexer.close()
    assert indexer.state().running is False


def test_progress_is_pushed_until_the_server_ends() -> None:
    indexer, steps = Indexer(Metrics()), threading.Semaphore(0)

    def work(tell: Callable[[IndexProgress], object]) -> IndexReport:
        for done in (1, 2):
            assert steps.acquire(timeout=20)
            tell(IndexProgress("embed", done, 2, indexed=done))
        return REPORT

    async def listen() -> list[Any]:
        heard = []
        stream: Any = event_stream(indexer)
        async with aclosing(stream) as events:
            async for event in events:
                assert event.startswith("data: ")
                assert event.endswith("\n\n")
                state = json.loads(event[6:])
                heard.append(state)
                if len(heard) == 1:
                    indexer.start("discs", "add", "/photos", work)
                elif state["running"]:
                    steps.release()
                elif state["report"]:
                    await asyncio.to_thread(indexer.close)
        return heard

    async def soon() -> list[Any]:
        return await asyncio.wait_for(listen(), 20)

    heard = asyncio.run(soon())
    assert heard[0]["running"] is False
    assert [one["progress"]["done"] for one in heard if one["progress"]][-1] == 2
    assert [one["report"] for one in heard if one["report"]] == [vars(REPORT)] * sum(bool(x["report"]) for x in heard)


def test_why_a_run_failed_is_told(root: Path, tiny_model: ModelPackage, tmp_path: Path) -> None:
    from sketchseek.search.lock import WriterLock

    with Library.open(tmp_path / "own", tiny_model.path, create=True) as library:
        app = create_app(library, thumbnails=ThumbnailCache(tmp_path / "thumbnails"), roots=[root])
        with TestClient(app, base_url="http://localhost") as client, WriterLock(tmp_path / "own"):
            may_change(client).post("/api/v1/folders", json={"folder": str(root / "a")})
            assert ended(client)["error"]["type"] == "LibraryLockedError"
