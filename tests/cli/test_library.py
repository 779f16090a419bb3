"""The commands that write, check and describe a library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli_runs import COMMANDS, STROKES, run, run_json, run_process
from sketchseek.cli import library_option
from sketchseek.models.package import ModelPackage
from tiny_model import write_tiny_package


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


@pytest.mark.slow
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
    assert (status["exclude"], status["follow_symlinks"], status["hidden"]) == (["b/", "*.png"], False, False)
    assert run_json("index", photos, *options, "--follow-symlinks")["indexed"] == 1
    assert run_json("sync", *options)["removed"] == 0
    assert run_json("index", photos, *options, "--exclude", "")["indexed"] == 2
    report = run_json("index", photos, *options, "--no-follow-symlinks")
    assert (report["removed"], report["links"]) == (1, 1)
    bad = run("index", photos, *options, "--exclude", "!", "--json")
    assert (bad.exit_code, json.loads(bad.stderr)["error"]) == (1, "InputError")


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


@pytest.mark.slow
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
    monkeypatch.setenv(library_option.LIBRARY_VARIABLE, str(library))
    assert run_json("status")["photos"] == 4
    monkeypatch.delenv(library_option.LIBRARY_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert library_option.default_library() == tmp_path / "data" / "sketchseek" / "library"


@pytest.mark.slow
def test_names_that_the_terminal_cannot_show(library: Path, photos: Path) -> None:
    (photos / "a" / "0.jpg").rename(photos / "a" / "\u753b.jpg")
    run("sync", "--library", library)
    for arguments in (("search", "--photo", photos / "a" / "1.jpg"), ("failures",), ("status",)):
        done = run_process(*arguments, "--library", library, PYTHONIOENCODING="latin-1")
        assert (done.returncode, done.stderr) == (0, "")
        if arguments[0] == "search":
            assert str(photos / "a" / "?.jpg") in done.stdout


@pytest.mark.slow
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


def test_hidden_files_are_indexed_by_choice(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> None:
    (photos / ".secret").mkdir()
    (photos / ".secret" / "1.jpg").write_bytes((photos / "a" / "0.jpg").read_bytes())
    (photos / ".2.jpg").write_bytes((photos / "a" / "0.jpg").read_bytes())
    options = ("--library", tmp_path / "library")
    count = run_json("index", photos, *options, "--model", tiny_model.path)["indexed"]
    assert run_json("index", photos, *options, "--hidden")["indexed"] == 2
    assert run_json("sync", *options)["unchanged"] == count + 2  # the library keeps the choice
    assert "begin with a dot" in run("status", *options).stdout
    assert run_json("index", photos, *options, "--no-hidden")["removed"] == 2
