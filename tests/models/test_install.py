from __future__ import annotations

import hashlib
import http.server
import json
import os
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchseek.cli import cli
from sketchseek.encoder import load_encoder
from sketchseek.errors import InputError, ModelPackageError
from sketchseek.file_lock import try_lock
from sketchseek.models import install
from sketchseek.models.install import install_model, sweep
from sketchseek.models.package import installed_models, load_model_package
from tiny_model import write_tiny_package


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKETCHSEEK_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def pack(source: Path, archive: Path, *, below: str = "", more: dict[str, bytes] | None = None) -> str:
    """A ZIP of a folder's files; returns its checksum."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in source.iterdir():
            zipped.write(file, below + file.name)
        for name, data in (more or {}).items():
            zipped.writestr(name, data)
    return hashlib.sha256(archive.read_bytes()).hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> tuple[Path, str]:
    source = write_tiny_package(tmp_path / "source", name="large").path
    return tmp_path / "large.zip", pack(source, tmp_path / "large.zip", below="large/")


def test_an_installed_model_is_known_by_its_name(archive: tuple[Path, str], place: Path) -> None:
    file, sha256 = archive
    with pytest.raises(ModelPackageError, match="large"):
        load_model_package("large")
    made = install_model(str(file), sha256.upper())
    assert made.path == place / "large"
    assert installed_models() == ["large"]
    assert load_encoder("large").manifest.fingerprint == made.manifest.fingerprint
    assert install_model(str(file), sha256).path == made.path  # again is no error
    assert [entry.name for entry in place.iterdir()] == ["large"]  # nothing aside is left


def test_a_wrong_checksum_installs_nothing(archive: tuple[Path, str], place: Path) -> None:
    with pytest.raises(ModelPackageError, match="not the one asked for"):
        install_model(str(archive[0]), "0" * 64)
    assert list(place.iterdir()) == []


def test_another_model_of_the_name_is_not_overwritten(archive: tuple[Path, str], tmp_path: Path) -> None:
    first = install_model(str(archive[0]), archive[1])
    other = write_tiny_package(tmp_path / "other", seed=3, name="large").path
    with pytest.raises(ModelPackageError, match="another model of this name"):
        install_model(str(tmp_path / "o.zip"), pack(other, tmp_path / "o.zip"))
    assert load_model_package("large").manifest.fingerprint == first.manifest.fingerprint


def test_nothing_leaves_the_folder_and_nothing_else_is_unpacked(tmp_path: Path, place: Path) -> None:
    source = write_tiny_package(tmp_path / "source", name="large").path
    more = {"../../evil.onnx": b"x", "/abs.onnx": b"x", "run.sh": b"x", "sub/__init__.py": b"x"}
    made = install_model(str(tmp_path / "z.zip"), pack(source, tmp_path / "z.zip", more=more))
    assert sorted(file.name for file in made.path.iterdir()) == [
        "abs.onnx", "evil.onnx", "manifest.json", "photo.onnx", "sketch.onnx",
    ]  # fmt: skip
    assert not list(tmp_path.parent.glob("evil.onnx"))
    assert not (tmp_path / "evil.onnx").exists()
    assert sorted(entry.name for entry in place.iterdir()) == ["large"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../up",
        "a/b",
        "C:\\x",
        ".hidden",
        "-l",
        "a b",
        "dot.",
        "nul",
        "CON.x",
        "\x1b[2J",
        "a\n",
        "ä",
        "x" * 65,
    ],
)
def test_a_name_that_is_no_folders_is_refused(name: str, tmp_path: Path) -> None:
    source = write_tiny_package(tmp_path / "source", name=name).path
    with pytest.raises(ModelPackageError, match="cannot be a folder's"):
        install_model(str(tmp_path / "z.zip"), pack(source, tmp_path / "z.zip"))


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04torn"])
def test_what_is_no_archive_is_an_error_that_names_it(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(content)
    with pytest.raises(ModelPackageError, match=r"x\.zip: not a ZIP"):
        install_model(str(file), hashlib.sha256(content).hexdigest())


def test_an_archive_of_damaged_or_several_models_is_refused(tmp_path: Path) -> None:
    source = write_tiny_package(tmp_path / "source", name="large").path
    more = {"again/manifest.json": b"{}"}
    with pytest.raises(ModelPackageError, match="more than one"):
        install_model(str(tmp_path / "z.zip"), pack(source, tmp_path / "z.zip", more=more))
    (source / "sketch.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelPackageError, match="SHA-256 differs"):
        install_model(str(tmp_path / "z.zip"), pack(source, tmp_path / "z.zip"))
    (source / "manifest.json").unlink()
    with pytest.raises(ModelPackageError, match="no model package"):
        install_model(str(tmp_path / "z.zip"), pack(source, tmp_path / "z.zip"))


def test_a_bundled_model_s_name_is_refused(tmp_path: Path) -> None:
    source = write_tiny_package(tmp_path / "source", name="small").path
    with pytest.raises(ModelPackageError, match="bundled"):
        install_model(str(tmp_path / "z.zip"), pack(source, tmp_path / "z.zip"))


@pytest.mark.parametrize("content", ["", "z" * 64, "0" * 63, "0" * 65])
def test_a_checksum_that_is_none_is_refused(archive: tuple[Path, str], content: str) -> None:
    with pytest.raises(InputError, match="not a SHA-256"):
        install_model(str(archive[0]), content)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8), st.data())
def test_damaged_archives_are_one_kind_of_error(changes: list[tuple[float, int]], data: st.DataObject) -> None:
    """Rows of the torture run: 104 tracebacks from damaged archives."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_tiny_package(folder / "source", name="large").path
        pack(source, folder / "good.zip")
        damaged = bytearray((folder / "good.zip").read_bytes())
        # Half of the changes fall on the directory at the archive's end, which is small and matters most.
        for where, value in changes:
            start = len(damaged) - 400 if data.draw(st.booleans()) else 0
            damaged[start + int(where * (len(damaged) - start))] = value
        if data.draw(st.booleans()):
            del damaged[int(data.draw(st.floats(0, 1)) * len(damaged)) :]
        (folder / "bad.zip").write_bytes(damaged)
        place = folder / "models"
        try:
            made = install_model(str(folder / "bad.zip"), hashlib.sha256(damaged).hexdigest(), folder=place)
        except ModelPackageError:
            assert list(place.iterdir()) == []
        else:
            made.verify()


def test_a_device_that_never_ends_is_refused(place: Path) -> None:
    with pytest.raises(ModelPackageError, match="not a regular file"):
        install_model("/dev/zero", "0" * 64)
    assert list(place.iterdir()) == []


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(ModelPackageError, match="not a regular file"):
        install_model(str(tmp_path / "pipe.zip"), "0" * 64)


def test_an_archive_that_unpacks_to_more_than_the_cap_is_refused(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_tiny_package(tmp_path / "source", name="large").path
    sha256 = pack(source, tmp_path / "z.zip", more={"CARD.md": b" " * 5_000_000})
    with pytest.raises(ModelPackageError, match="more than the cap of 4,000,000"):
        install_model(str(tmp_path / "z.zip"), sha256)
    monkeypatch.setattr(install, "MAX_BYTES", 20_000)
    sha256 = pack(source, tmp_path / "z.zip", more={"more.onnx": b" " * 19_000})
    with pytest.raises(ModelPackageError, match="more than the cap"):
        install_model(str(tmp_path / "z.zip"), sha256)
    assert list(place.iterdir()) == []


def test_what_a_killed_installation_left_is_swept_and_a_running_one_is_not(
    archive: tuple[Path, str], place: Path
) -> None:
    (place / ".installing-killed").mkdir(parents=True)
    (place / ".installing-killed" / "lock").touch()
    (place / ".installing-killed" / "archive.zip").write_bytes(b"x" * 1000)
    (place / ".installing-running").mkdir()
    (place / ".installing-starting").mkdir()
    with try_lock(place / ".installing-running" / "lock") as ours:
        assert ours
        install_model(*map(str, archive))
        assert sorted(entry.name for entry in place.iterdir()) == [
            ".installing-running",
            ".installing-starting",
            "large",
        ]
    CliRunner().invoke(cli, ["models"], catch_exceptions=False)
    os.utime(place / ".installing-starting", (0, 0))
    assert sweep() == 1
    assert [entry.name for entry in place.iterdir()] == ["large"]


def test_a_place_that_cannot_be_written_to_is_named(archive: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"a file")
    with pytest.raises(ModelPackageError, match="cannot be written to"):
        install_model(*map(str, archive))


@pytest.mark.parametrize(
    "source",
    [
        "http://example.org/m.zip",
        "ftp://example.org/m.zip",
        "ftp://localhost/m.zip",
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
    ],
)
def test_only_https_is_fetched(source: str) -> None:
    with pytest.raises(ModelPackageError, match="only https"):
        install_model(source, "0" * 64)


@pytest.fixture
def address(archive: tuple[Path, str]) -> Iterator[str]:
    body = archive[0].read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/to/"):
                self.send_response(302)
                self.send_header("Location", self.path[4:])
                self.end_headers()
                return
            self.send_response(200 if self.path == "/large.zip" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_command_fetches_what_it_is_told_to(address: str, archive: tuple[Path, str]) -> None:
    call = ["models", "--install", f"{address}/large.zip", "--json"]
    refused = CliRunner().invoke(cli, call)
    assert refused.exit_code == 2
    assert "--sha256" in refused.output
    result = CliRunner().invoke(cli, [*call, "--sha256", archive[1]], catch_exceptions=False)
    assert [(model["name"], model["ok"]) for model in json.loads(result.stdout)] == [("large", True)]
    listed = json.loads(CliRunner().invoke(cli, ["models", "--json"], catch_exceptions=False).stdout)
    assert "large" in {model["name"] for model in listed}
    with pytest.raises(ModelPackageError, match="404"):
        install_model(f"{address}/none.zip", archive[1])


@pytest.mark.parametrize("to", ["http://192.0.2.1/m.zip", "ftp://127.0.0.1/m.zip", "file:///etc/passwd"])
def test_redirects_go_where_an_address_may_point(address: str, to: str) -> None:
    with pytest.raises(ModelPackageError, match=r"only https|cannot be read"):
        install_model(f"{address}/to/{to}", "0" * 64)
