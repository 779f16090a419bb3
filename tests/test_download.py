from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from range_server import RangeServer, range_server
from sketchseek.download import discard_partial, download
from sketchseek.errors import DownloadError

DATA = bytes(range(256)) * 5000


@pytest.fixture
def server() -> Iterator[RangeServer]:
    with range_server() as running:
        running.files["/a.bin"] = DATA
        yield running


def get(server: RangeServer, file: Path, path: str = "/a.bin", limit: int = 10_000_000) -> None:
    download(server.address + path, file, limit=limit, pause=0.01)


def test_a_file_appears_complete_and_alone(server: RangeServer, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    download(
        server.address + "/a.bin", tmp_path / "a", limit=10**7, progress=lambda *step: steps.append(step), stage="a"
    )
    assert (tmp_path / "a").read_bytes() == DATA
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    assert steps[-1] == ("a", len(DATA), len(DATA))


def test_a_broken_connection_is_continued_with_ranges(server: RangeServer, tmp_path: Path) -> None:
    server.cuts = [1000, 500_000]
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA
    assert [asked for _, asked in server.asked] == [None, "bytes=1000-", "bytes=501000-"]


def test_an_interrupted_download_continues_in_the_next_call(server: RangeServer, tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    server.cuts = [700_000]
    with pytest.raises(KeyboardInterrupt):
        download(server.address + "/a.bin", tmp_path / "a", limit=10**7, progress=interrupt)
    assert not (tmp_path / "a").exists()
    kept = (tmp_path / "a.partial").stat().st_size
    assert kept == 700_000
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA
    assert server.asked[-1] == ("/a.bin", f"bytes={kept}-")


def test_another_file_on_the_server_starts_over(server: RangeServer, tmp_path: Path) -> None:
    server.cuts = [5000] + [0] * 10
    with pytest.raises(DownloadError, match="continues where it stopped"):
        get(server, tmp_path / "a")
    server.cuts, server.etag = [], '"two"'
    server.files["/a.bin"] = other = DATA[::-1]
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == other


@pytest.mark.parametrize("lacking", ["etag", "ranges"])
def test_a_server_that_cannot_continue_sends_all_again(server: RangeServer, tmp_path: Path, lacking: str) -> None:
    setattr(server, lacking, "" if lacking == "etag" else False)
    server.cuts = [5000]
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


def test_a_complete_partial_file_needs_no_more_bytes(server: RangeServer, tmp_path: Path) -> None:
    server.cuts = [5000] + [0] * 10
    with pytest.raises(DownloadError):
        get(server, tmp_path / "a")
    server.cuts = []
    (tmp_path / "a.partial").write_bytes(DATA)
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


def test_a_partial_file_of_another_address_is_not_continued(server: RangeServer, tmp_path: Path) -> None:
    server.files["/b.bin"] = b"b" * 9000
    server.cuts = [5000] + [0] * 10
    with pytest.raises(DownloadError):
        get(server, tmp_path / "a")
    server.cuts = []
    get(server, tmp_path / "a", "/b.bin")
    assert (tmp_path / "a").read_bytes() == b"b" * 9000


def test_a_missing_file_is_not_tried_again(server: RangeServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="404"):
        get(server, tmp_path / "a", "/none")
    assert len(server.asked) == 1


def test_more_than_the_cap_is_refused(server: RangeServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="cap"):
        get(server, tmp_path / "a", limit=1000)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("address", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd"])
def test_only_https_is_fetched(server: RangeServer, tmp_path: Path, address: str) -> None:
    with pytest.raises(DownloadError, match="only https"):
        download(address, tmp_path / "a", limit=1000)
    server.redirect["/away"] = address
    with pytest.raises(DownloadError, match=r"only https|not allowed"):
        get(server, tmp_path / "a", "/away")


def test_what_is_left_can_be_discarded(server: RangeServer, tmp_path: Path) -> None:
    server.cuts = [5000] + [0] * 10
    with pytest.raises(DownloadError):
        get(server, tmp_path / "a")
    discard_partial(tmp_path / "a")
    assert [entry.name for entry in tmp_path.iterdir()] == []
