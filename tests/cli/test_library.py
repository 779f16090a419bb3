from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from sketchseek.cli import library as commands
from sketchseek.models.package import ModelPackage
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library import Library
from tiny_model import write_tiny_package

STROKES = "[[[0, 50, 100, 0], [100, 0, 100, 100]]]"
COMMANDS = {name: getattr(commands, f"{name}_command") for name in (
    "index", "search", "sync", "status", "remove", "failures", "verify"
)}  # fmt: skip

Run = Callable[..., Result]


def run(command: str, *arguments: object, text: str | None = None) -> Result:
    """Call a command in this process; its errors come out as exceptions in the result."""
    return CliRunner().invoke(COMMANDS[command], [str(argument) for argument in arguments], input=text)


def run_json(command: str, *arguments: object, text: str | None = None) -> Any:
    result = run(command, *arguments, "--json", text=text)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def run_process(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call the program as a shell does."""
    return subprocess.run(
        [sys.executable, "-m", "sketchseek", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four photos in two folders, and a file that is no picture."""
    folder = tmp_path / "photos"
    for seed in range(4):
        path = folder / ("a" if seed < 2 else "b") / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(cells).resize((32, 32), Image.Resampling.NEAREST).save(path)
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def library(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> Path:
    """A library of them."""
    path = tmp_path / "library"
    with Library.create(path, tiny_model.path) as library:
        library.add([photos])
    return path


def test_index_reports_what_it_did(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> None:
    library = tmp_path / "new" / "library"
    report = run_json("index", photos, "--library", library, "--model", tiny_model.path)
    seconds = report.pop("seconds")
    assert report == {
        **{"indexed": 4, "failed": 1, "unchanged": 0, "removed": 0, "moved": 0, "skipped": 0},
        **{"unread": {}, "links": 0, "missing": []},
    }
    assert seconds > 0
    (photos / "a" / "0.jpg").unlink()
    report = run_json("index", photos / "a", photos / "b", "--library", library)
    assert (report["indexed"], report["unchanged"], report["removed"]) == (0, 3, 1)
    assert "3 unchanged" in run("index", photos, "--library", library).stdout


def test_files_in_formats_that_are_not_read_are_named(
    tmp_path: Path, photos: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1.psd", "2.PSD", "b/scan.xcf", "notes.txt"):
        (photos / name).write_bytes(b"x")
    options = ("--library", tmp_path / "library", "--model", tiny_model.path)
    said = run("index", photos, *options).stdout
    assert "3 files in formats that are not read: psd 2, xcf 1.\n" in said
    assert run_json("index", photos, *options)["unread"] == {"psd": 2, "xcf": 1}
    assert run_json("status", *options[:2])["unread"] == {"psd": 2, "xcf": 1}
    assert "Not read   3 files in formats" in run("status", *options[:2]).stdout
    (photos / "1.psd").unlink()
    (photos / "2.PSD").unlink()
    assert "1 file in a format that is not read: xcf 1." in run("sync", *options[:2]).stdout
    assert run_json("remove", photos / "b", *options[:2]) == {"removed": 2}
    assert run_json("status", *options[:2])["unread"] == {}


def test_patterns_and_links_are_kept_by_the_library(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (photos / "a" / "0.jpg").rename(outside / "0.jpg")
    (photos / "link").symlink_to(outside)
    options = ("--library", tmp_path / "library")
    said = run("index", photos, *options, "--model", tiny_model.path, "--exclude", "b/", "--exclude", "*.png").stdout
    assert "1 indexed" in said
    assert "1 symbolic link to a folder was not followed" in said
    assert run_json("sync", *options)["failed"] == 0  # the patterns hold
    status = run_json("status", *options)
    assert (status["exclude"], status["follow_symlinks"]) == (["b/", "*.png"], False)
    assert run_json("index", photos, *options, "--follow-symlinks")["indexed"] == 1
    assert run_json("sync", *options)["removed"] == 0
    assert run_json("index", photos, *options, "--exclude", "")["indexed"] == 2
    report = run_json("index", photos, *options, "--no-follow-symlinks")
    assert (report["removed"], report["links"]) == (1, 1)
    bad = run("index", photos, *options, "--exclude", "!", "--json")
    assert (bad.exit_code, json.loads(bad.stderr)["error"]) == (1, "InputError")


def test_paths_alone_for_other_programs(library: Path, photos: Path) -> None:
    name = "two\nlines.jpg"
    (photos / "a" / "0.jpg").rename(photos / "a" / name)
    run("sync", "--library", library)
    found = [result["path"] for result in run_json("search", "-", "--library", library, text=STROKES)]
    assert str(photos / "a" / name) in found
    apart = run("search", "-", "--library", library, "--print0", text=STROKES)
    assert apart.stdout_bytes.split(b"\0")[:-1] == [os.fsencode(path) for path in found]
    lines = run("search", "-", "--library", library, "--paths", text=STROKES)
    assert lines.stdout == "".join(f"{path}\n" for path in found)
    shown = run("search", "-", "--library", library, text=STROKES).stdout.splitlines()
    assert len(shown) == len(found)  # for people, a name is one line
    assert any("two\\nlines.jpg" in line for line in shown)
    assert run("search", "-", "--library", library, "--paths", "--json", text=STROKES).exit_code == 2
    nothing = run("search", "-", "--library", library, "--print0", "--offset", 99, text=STROKES)
    assert (nothing.stdout, nothing.stderr) == ("", "There are no results after rank 99.\n")


def test_the_best_result_opens(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def launch(path: str) -> int:
        opened.append(path)
        return 0

    monkeypatch.setattr("click.launch", launch)
    found = run_json("search", "-", "--library", library, "--open", text=STROKES)
    assert opened == [found[0]["path"]]
    monkeypatch.setattr("click.launch", lambda path: 1)
    failed = run("search", "-", "--library", library, "--open", text=STROKES)
    assert failed.exit_code == 1
    assert "Cannot open" in failed.stderr


def test_removing_what_is_not_there_is_an_error(library: Path, photos: Path) -> None:
    failed = run("remove", photos / "a" / "0.jpg", photos / "nothere.jpg", "--library", library, "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stderr)["message"] == f"{photos / 'nothere.jpg'}: not in the library."
    assert run_json("status", "--library", library)["photos"] == 4  # all or nothing
    (photos / "a" / "0.jpg").unlink()
    assert run_json("remove", photos / "a" / "0.jpg", "--library", library) == {"removed": 1}  # the file may be gone


def test_a_sync_without_its_folder_fails_and_keeps_the_photos(library: Path, photos: Path) -> None:
    photos.rename(photos.with_name("unplugged"))
    failed = run("sync", "--library", library)
    assert failed.exit_code == 1
    assert f"{photos}: the folder is missing; its photos stay" in failed.stderr
    assert run_json("status", "--library", library)["photos"] == 4
    as_json = run("sync", "--library", library, "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["missing"]) == (1, [str(photos)])


def test_what_cannot_be_written_is_told_without_python(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opening = os.open

    def refuse(path: object, *rest: object) -> int:
        if str(path).endswith("writer.lock"):
            raise PermissionError(13, "Permission denied")
        return opening(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    failed = run("sync", "--library", library, "--json")
    assert failed.exit_code == 1
    told = json.loads(failed.stderr)
    assert "Permission denied" in told["message"]
    assert "readonly=" not in told["remedy"]
    assert "write access" in told["remedy"]


def test_search_lists_rank_id_path_and_score(library: Path, photos: Path, tmp_path: Path) -> None:
    sketch = tmp_path / "sketch.json"
    sketch.write_text(STROKES)
    found = run_json("search", sketch, "--library", library, "-k", 3)
    assert [sorted(result) for result in found] == [["id", "path", "rank", "score"]] * 3
    assert [result["rank"] for result in found] == [1, 2, 3]
    assert found == run_json("search", "-", "--library", library, "-k", 3, text=STROKES)
    below = run_json("search", sketch, "--library", library, "--folder", photos / "b")
    assert {Path(result["path"]).parent.name for result in below} == {"b"}
    alike = run_json("search", "--photo", photos / "a" / "0.jpg", "--library", library)
    assert len(alike) == 3
    text = run("search", sketch, "--library", library, "-k", 1).stdout
    assert found[0]["path"] in text
    assert len(text.splitlines()) == 1


def test_search_pages_and_filters_by_time(library: Path, photos: Path) -> None:
    for seed in range(4):
        path = photos / ("a" if seed < 2 else "b") / f"{seed}.jpg"
        when = datetime(2024, 5, 1 + seed, 12, tzinfo=UTC).timestamp()
        os.utime(path, (when, when))
    run("sync", "--library", library)

    def search(*options: object) -> list[Any]:
        found: list[Any] = run_json("search", "-", "--library", library, *options, text=STROKES)
        return found

    def names(*options: object) -> list[str]:
        return sorted(Path(result["path"]).name for result in search(*options))

    whole = search()
    assert search("-k", 2, "--offset", 1) == whole[1:3]
    assert names("--after", "2024-05-02T12:00:00+00:00") == ["1.jpg", "2.jpg", "3.jpg"]
    assert names("--before", "2024-05-02T12:00Z") == ["0.jpg"]
    assert names("--after", "2024-05-01T13:00Z", "--before", "2024-05-03T13:00Z", "--folder", photos / "b") == ["2.jpg"]
    late = run("search", "-", "--library", library, "--after", "2030-01-01", text=STROKES)
    assert (late.exit_code, late.stdout, late.stderr) == (0, "", "There are no photos that match the filter.\n")
    deep = run("search", "-", "--library", library, "--offset", 50, text=STROKES)
    assert (deep.exit_code, deep.stdout, deep.stderr) == (0, "", "There are no results after rank 50.\n")
    assert run("search", "-", "--library", library, "--after", "yesterday", text=STROKES).exit_code == 2
    twisted = run("search", "-", "--library", library, "--after", "2024-05-02", "--before", "2024-05-01", "--json")
    assert json.loads(twisted.stderr)["error"] == "InputError"


def test_sync_remove_failures_status_and_verify(library: Path, photos: Path) -> None:
    assert [failure["path"] for failure in run_json("failures", "--library", library)] == [str(photos / "bad.png")]
    assert "bad.png" in run("failures", "--library", library).stdout
    (photos / "a" / "0.jpg").rename(photos / "c.jpg")
    assert run_json("sync", "--library", library)["moved"] == 1
    assert run_json("remove", photos / "b", "--library", library) == {"removed": 2}
    assert "0 photos" in run("remove", photos / "b", "--library", library).stdout
    status = run_json("status", "--library", library)
    assert (status["photos"], status["failures"], status["folders"]) == (2, 1, [str(photos)])
    assert status["excluded"] == [str(photos / "b")]
    assert "Photos     2" in run("status", "--library", library).stdout
    assert run_json("verify", "--library", library)["ok"] is True
    for file in (library / "index").glob("*.faiss"):
        file.write_bytes(b"damaged")
    assert run("verify", "--library", library, "--json").exit_code == 1
    result = run("verify", "--library", library)
    assert result.exit_code == 1
    assert "checksum" in result.stdout


def test_nothing_is_said_to_be_nothing(library: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "bad.png").unlink()
    run("sync", "--library", library)
    failures = run("failures", "--library", library)
    assert (failures.stdout, failures.stderr) == ("", "There are no failures.\n")
    found = run("search", "-", "--library", library, "--folder", tmp_path, text=STROKES)
    assert len(found.stdout.splitlines()) == 4
    found = run("search", "-", "--library", library, "--folder", tmp_path / "none", text=STROKES)
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "There are no photos in this folder.\n")
    assert run_json("search", "-", "--library", library, "--folder", tmp_path / "none", text=STROKES) == []


def test_embedding_anew(library: Path, photos: Path, tmp_path: Path) -> None:
    other = write_tiny_package(tmp_path / "other", seed=1)
    refused = run("index", photos, "--library", library, "--model", other.path, "--json")
    assert refused.exit_code == 1
    error = json.loads(refused.stderr)
    assert error["error"] == "ModelMismatchError"
    assert refused.stdout == ""
    command = error["remedy"].partition("sketchseek index ")[2].split()
    assert run_json("index", *command)["indexed"] == 4
    assert run_json("status", "--library", library)["fingerprint"] == other.manifest.fingerprint


def test_every_command_s_help_has_examples() -> None:
    for name, command in COMMANDS.items():
        text = CliRunner().invoke(command, ["--help"]).stdout
        assert f"sketchseek {name}" in text, name
        assert "--json" in text, name


@pytest.mark.parametrize("command", ["search", "sync", "status", "remove", "failures", "verify"])
def test_there_is_no_library(command: str, tmp_path: Path) -> None:
    arguments = {"search": ["-"], "remove": ["x"]}.get(command, [])
    result = run(command, *arguments, "--library", tmp_path / "none", "--json", text=STROKES)
    assert (result.exit_code, result.stdout) == (1, "")
    assert json.loads(result.stderr)["error"] == "LibraryNotFoundError"
    assert not (tmp_path / "none").exists()


def test_nothing_to_index_is_a_usage_error() -> None:
    assert run("index").exit_code == 2
    assert run("search", "-", "-k", 0).exit_code == 2


def test_errors_of_the_program_are_messages_not_tracebacks(tmp_path: Path, library: Path) -> None:
    for arguments in (
        ("search", tmp_path / "none.png", "--library", library),
        ("index", tmp_path / "none", "--library", library),
        ("status", "--library", tmp_path / "none"),
        ("status", "--library", tmp_path / "none", "--json"),
        ("index", "~no-such-user/none", "--library", library),
        ("models", tmp_path / "none", "--json"),
        ("evaluate", "pairs", tmp_path / "none", "--json"),
    ):
        done = run_process(*arguments)
        assert done.returncode == 1
        assert done.stdout == ""
        assert "none" in done.stderr
        assert "Traceback" not in done.stderr
        if "--json" in arguments:
            assert sorted(json.loads(done.stderr)) == ["error", "message", "remedy"]


def test_the_library_of_the_environment(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(commands.LIBRARY_VARIABLE, str(library))
    assert run_json("status")["photos"] == 4
    monkeypatch.delenv(commands.LIBRARY_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert commands.default_library() == tmp_path / "data" / "sketchseek" / "library"


def test_names_that_are_no_text_come_through_json(library: Path, photos: Path) -> None:
    name = os.fsencode(photos) + b"/\xff.jpg"
    try:
        (photos / "a" / "0.jpg").rename(os.fsdecode(name))
    except OSError:
        pytest.skip("this file system takes no such names")
    run_json("sync", "--library", library)
    found = run_json("search", "-", "--library", library, text=STROKES)
    assert name in [os.fsencode(result["path"]) for result in found]
    assert run("search", "-", "--library", library, text=STROKES).exit_code == 0


def test_names_that_the_terminal_cannot_show(library: Path, photos: Path) -> None:
    (photos / "a" / "0.jpg").rename(photos / "a" / "\u753b.jpg")
    run("sync", "--library", library)
    for arguments in (("search", "--photo", photos / "a" / "1.jpg"), ("failures",), ("status",)):
        done = run_process(*arguments, "--library", library, PYTHONIOENCODING="latin-1")
        assert (done.returncode, done.stderr) == (0, "")
        if arguments[0] == "search":
            assert str(photos / "a" / "?.jpg") in done.stdout


def test_ctrl_c_says_that_work_is_kept(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> None:
    source = (photos / "a" / "0.jpg").read_bytes()
    for i in range(3000):
        (photos / f"{i}.jpg").write_bytes(source + bytes(str(i), "ascii"))
    library = tmp_path / "library"
    process = subprocess.Popen(
        [sys.executable, "-m", "sketchseek", "index", photos, "--library", library, "--model", tiny_model.path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not (library / "catalog.db-wal").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    if process.returncode == 0:
        pytest.skip("it had finished")
    assert (process.returncode, out) == (130, b"")
    assert b"is kept" in err
    assert b"Traceback" not in err
    report = run_json("index", photos, "--library", library)
    assert report["indexed"] + report["unchanged"] == 3004


def test_search_with_words_and_several_sketches(library: Path, photos: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second:2.json"
    first.write_text(STROKES, encoding="utf-8")
    second.write_text("[[[0, 9], [9, 0]]]", encoding="utf-8")
    at = ("--library", library)
    assert [Path(one["path"]).name for one in run_json("search", "--text", "b 3", "--require-text", *at)] == ["3.jpg"]
    both = run_json("search", first, "--text", "3", *at)
    assert Path(both[0]["path"]).name == "3.jpg"
    assert set(both[0]["parts"]) == {"examples", "text"}
    found = run_json("search", first, "--also", f"{second}:0.5", "--not-photo", photos / "a/0.jpg", *at)
    with Library.open(library) as opened:
        query = Query(
            (
                Example(sketch=first),
                Example(sketch=second, weight=0.5),
                Example(photo=photos / "a/0.jpg", negative=True),
            )
        )
        assert [one["id"] for one in found] == [one.id for one in opened.search_query(query)]
    assert len(found) == 3  # without the negative photo
    assert run("search", "--also-photo", photos / "a/0.jpg", "--not", first, *at).exit_code == 0
    assert run("search", second, "--also", second, *at).exit_code == 0  # a name with a colon
    assert "no photos with these words" in run("search", "--text", "submarine", *at).stderr
    assert "Name a sketch" in run("search", *at).stderr


def test_search_explains_the_best_result(library: Path, tmp_path: Path) -> None:
    at = ("--library", library)
    strokes = tmp_path / "strokes.json"
    strokes.write_text(STROKES, encoding="utf-8")
    out = tmp_path / "why.png"
    assert len(run_json("search", "-", "--explain", out, *at, text=STROKES)) == 4
    with Image.open(out) as picture:
        assert picture.size == (480 + 12 + 480, 480)  # the sketch beside a square photo
        colors = {color for _, color in picture.getcolors(1_000_000) or []}
        assert len(colors) > 50
    assert run("search", strokes, "--also", strokes, "--text", "3", "--explain", out, *at).exit_code == 0
    with Image.open(out) as picture:
        assert picture.width == 3 * 480 + 2 * 12
    missing = run("search", strokes, "--explain", tmp_path / "none/why.png", *at)
    assert "cannot be written" in str(missing.exception)


def test_search_by_color(library: Path) -> None:
    at = ("--library", library)
    found = run_json("search", "--color", "#ff0000:2", "--color", "blue", *at)
    assert len(found) == 4
    beside = run_json("search", "-", "--color", "red", "--color-weight", "2", *at, text=STROKES)
    assert set(beside[0]["parts"]) == {"examples", "colors"}
    assert "not a color" in str(run("search", "--color", "reddish-ish", *at).exception)
    assert "not a number" in run("search", "--color", "red:much", *at).stderr
