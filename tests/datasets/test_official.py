from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from range_server import RangeServer, range_server
from sketchseek.datasets import known_downloads
from sketchseek.datasets.official import OFFICIAL, OfficialDataset, RemoteFile, check_folder, official_dataset
from sketchseek.datasets.official_download import RECORD, DownloadedFile, download_dataset
from sketchseek.datasets.registry import dataset_specs
from sketchseek.errors import ConfigError, DatasetError, DownloadError, InputError
from sketchseek.file_lock import try_lock


@pytest.fixture(autouse=True)
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(known_downloads, "user_data_dir", lambda: tmp_path / "user")
    return tmp_path / "user" / "known-downloads.json"


@pytest.fixture
def server() -> Iterator[RangeServer]:
    with range_server() as running:
        running.files["/sketches.zip"] = zipped({"png/cat/1.png": b"one", "png/cat/2.png": b"two"})
        yield running


def zipped(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def dataset(server: RangeServer, path: str = "/sketches.zip", **changes: object) -> OfficialDataset:
    file = RemoteFile(server.address + path)
    return replace(OFFICIAL["tuberlin"], files=(replace(file, **changes),))  # type: ignore[arg-type]


def get(source: OfficialDataset, folder: Path, *, accept_terms: bool = True, sha256: str = "") -> list[DownloadedFile]:
    return download_dataset(source, folder, accept_terms=accept_terms, sha256=sha256)


def test_terms_come_first_and_nothing_is_asked_before(server: RangeServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"CC BY 4.0") as raised:
        get(dataset(server), tmp_path / "data", accept_terms=False)
    assert "--accept-terms" in raised.value.remedy
    assert server.asked == []
    assert not (tmp_path / "data").exists()


def test_an_archive_is_unpacked_and_its_checksum_recorded(server: RangeServer, tmp_path: Path, record: Path) -> None:
    (done,) = get(dataset(server), tmp_path / "data")
    assert (tmp_path / "data/png/cat/2.png").read_bytes() == b"two"
    digest = hashlib.sha256(server.files["/sketches.zip"]).hexdigest()
    assert (done.sha256, done.trust, done.new) == (digest, "first", True)
    assert json.loads(record.read_text())[done.address]["sha256"] == digest
    assert sorted(entry.name for entry in (tmp_path / "data").iterdir()) == [RECORD, "png"]
    (again,) = get(dataset(server), tmp_path / "data")
    assert (again.new, len(server.asked)) == (False, 1)
    (other,) = get(dataset(server), tmp_path / "other")
    assert other.trust == "earlier"


def test_a_file_that_differs_from_the_first_is_refused(server: RangeServer, tmp_path: Path) -> None:
    get(dataset(server), tmp_path / "one")
    server.files["/sketches.zip"] = zipped({"png/cat/1.png": b"changed"})
    with pytest.raises(DownloadError, match="the first download"):
        get(dataset(server), tmp_path / "two")
    assert not (tmp_path / "two/png").exists()
    (done,) = download_dataset(dataset(server), tmp_path / "two", accept_terms=True, trust_new=True)
    assert done.trust == "first"
    assert (tmp_path / "two/png/cat/1.png").read_bytes() == b"changed"


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_published_checksums_are_compared(server: RangeServer, tmp_path: Path, algorithm: str) -> None:
    right = hashlib.new(algorithm, server.files["/sketches.zip"]).hexdigest()
    (done,) = get(dataset(server, checksum=(algorithm, right), checksum_source="the page"), tmp_path / "right")
    assert done.trust == "published"
    wrong = dataset(server, checksum=(algorithm, "0" * len(right)), checksum_source="the page")
    with pytest.raises(DownloadError, match="the page"):
        get(wrong, tmp_path / "wrong")
    assert not (tmp_path / "wrong/png").exists()


def test_a_checksum_can_be_given(server: RangeServer, tmp_path: Path) -> None:
    right = hashlib.sha256(server.files["/sketches.zip"]).hexdigest()
    with pytest.raises(DownloadError, match="the one given"):
        get(dataset(server), tmp_path / "data", sha256="1" * 64)
    (done,) = get(dataset(server), tmp_path / "data", sha256=right.upper())
    assert done.trust == "given"


def test_an_interrupted_download_continues(server: RangeServer, tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    server.cuts = [100]
    with pytest.raises(KeyboardInterrupt):
        download_dataset(dataset(server), tmp_path / "data", accept_terms=True, progress=interrupt)
    get(dataset(server), tmp_path / "data")
    assert server.asked[-1] == ("/sketches.zip", "bytes=100-")
    assert (tmp_path / "data/png/cat/1.png").read_bytes() == b"one"


def test_an_unsafe_archive_leaves_nothing(server: RangeServer, tmp_path: Path) -> None:
    server.files["/sketches.zip"] = zipped({"png/cat/1.png": b"one", "../../evil.png": b"x"})
    with pytest.raises(InputError, match="outside the folder"):
        get(dataset(server), tmp_path / "data")
    assert not (tmp_path / "data/png").exists()
    assert not list(tmp_path.rglob("evil.png"))


def test_archives_inside_an_archive_are_unpacked(server: RangeServer, tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as inner:
        info = tarfile.TarInfo("101_ObjectCategories/ant/image_0001.jpg")
        info.size = 3
        inner.addfile(info, io.BytesIO(b"ant"))
    server.files["/sketches.zip"] = zipped({"caltech-101/a.tar.gz": made.getvalue(), "caltech-101/b.tar": b"other"})
    get(dataset(server, inner=("caltech-101/a.tar.gz",)), tmp_path / "data")
    assert (tmp_path / "data/101_ObjectCategories/ant/image_0001.jpg").read_bytes() == b"ant"
    assert not (tmp_path / "data/caltech-101").exists()
    assert check_folder("caltech101", tmp_path / "data").counts == {"photos": 1, "categories": 1}


def test_what_is_there_is_not_overwritten(server: RangeServer, tmp_path: Path) -> None:
    (tmp_path / "data/png").mkdir(parents=True)
    (tmp_path / "data/png/mine.png").write_bytes(b"mine")
    with pytest.raises(DatasetError, match="is there already"):
        get(dataset(server), tmp_path / "data")
    assert (tmp_path / "data/png/mine.png").read_bytes() == b"mine"


def test_two_downloads_into_one_folder_do_not_meet(server: RangeServer, tmp_path: Path) -> None:
    (tmp_path / "data/.downloading").mkdir(parents=True)
    with try_lock(tmp_path / "data/.downloading/lock"), pytest.raises(DatasetError, match="another download"):
        get(dataset(server), tmp_path / "data")


def test_words_have_a_file_each(server: RangeServer, tmp_path: Path) -> None:
    line = json.dumps({"word": "cat", "key_id": "1", "drawing": [[[0, 9], [0, 9]]]}).encode()
    server.files["/cat.ndjson"] = line + b"\n" + line + b"\n"
    server.files["/hot%20air%20balloon.ndjson"] = line
    source = replace(OFFICIAL["quickdraw"], each_word=server.address + "/{word}.ndjson")
    done = download_dataset(source, tmp_path / "data", accept_terms=True, words=("cat", "hot air balloon", "cat"))
    assert [file.new for file in done] == [True, True]
    assert (tmp_path / "data/hot air balloon.ndjson").read_bytes() == line
    assert check_folder("quickdraw", tmp_path / "data").counts == {"sketches": 3, "categories": 2}
    with pytest.raises(ConfigError, match="one file for each word"):
        download_dataset(source, tmp_path / "data", accept_terms=True)
    for bad in ("../../cat", "a/b", ""):
        with pytest.raises(ConfigError, match="is no word"):
            download_dataset(source, tmp_path / "data", accept_terms=True, words=(bad,))


def test_sets_without_an_address_name_page_and_steps(tmp_path: Path) -> None:
    manual = [source for source in OFFICIAL.values() if not source.downloads]
    assert {source.name for source in manual} == {"sketchy", "chairv2", "shoev2", "quickdraw-extended"}
    for source in manual:
        assert source.steps
        with pytest.raises(ConfigError) as raised:
            get(source, tmp_path / "data")
        assert source.page in raised.value.remedy
        assert f"sketchseek data check {source.name}" in raised.value.remedy
    assert not (tmp_path / "data").exists()


def test_every_data_set_with_its_own_layout_is_listed() -> None:
    own = {"pairs", "categories", "named", "photos"}
    assert {spec.name for spec in dataset_specs()} - own <= set(OFFICIAL)
    for source in OFFICIAL.values():
        assert source.page.startswith("https://")
        assert all(file.address.startswith("https://") for file in source.files)
    with pytest.raises(ConfigError, match="There is no official data set"):
        official_dataset("nothing")


def test_a_damaged_record_is_an_error(server: RangeServer, tmp_path: Path, record: Path) -> None:
    record.parent.mkdir()
    record.write_text("[]")
    with pytest.raises(DownloadError, match="cannot be read"):
        get(dataset(server), tmp_path / "data")
