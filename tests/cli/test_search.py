"""The command ``search``."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cli_runs import STROKES, run, run_json
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library import Library


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


def test_copies_are_grouped(library: Path, photos: Path) -> None:
    photo = next(photos.rglob("*.jpg"))
    (photos / "copy.jpg").write_bytes(photo.read_bytes())
    run("sync", "--library", library)
    plain = run_json("search", "-", "-k", "100", "--library", library, text=STROKES)
    found = run_json("search", "-", "-k", "100", "--library", library, "--group-copies", text=STROKES)
    assert len(found) == len(plain) - 1
    (group,) = [one for one in found if "copies" in one]
    assert {group["path"], group["copies"][0]["path"]} == {str(photo), str(photos / "copy.jpg")}
    assert "  (1 copy)" in run("search", "-", "--group-copies", "--library", library, text=STROKES).stdout


def test_two_objects_of_a_sketch(library: Path, photos: Path) -> None:
    two = "[[[0,60,60,0,0],[0,0,60,60,0]],[[150,200,170,150],[10,20,60,10]]]"
    found = run_json("search", "-", "--parts", "--library", library, text=two)
    assert found[0]["parts"].keys() == {"examples", "parts"}
    assert not (library / "regions.db").exists()
    assert run("index", photos, "--regions", "--library", library).exit_code == 0
    assert (library / "regions.db").exists()
    assert "regions" in run_json("verify", "--library", library)["checks"]
    again = run_json("search", "-", "--parts", "--library", library, text=two)
    assert sorted(one["path"] for one in again) == sorted(one["path"] for one in found)
    assert run("index", photos, "--no-regions", "--library", library).exit_code == 0
    assert not (library / "regions.db").exists()


def test_the_time_of_a_frame(library: Path, photos: Path) -> None:
    frames = [Image.new("RGB", (64, 64), "white") for _ in range(3)]
    for number, frame in enumerate(frames):
        frame.paste((200, 40 * number, 0), (5, 5, 20 + 12 * number, 40))
    frames[0].save(photos / "a" / "film.gif", save_all=True, append_images=frames[1:], duration=1500)
    frames[2].save(photos.parent / "third.png")
    assert run("index", photos, "--frames", "--library", library).exit_code == 0
    found = run_json("search", "--photo", photos.parent / "third.png", "--library", library, "-k", 1)
    assert (Path(found[0]["path"]).name, found[0]["time"]) == ("film.gif", 3.0)
    assert run("index", photos, "--no-frames", "--library", library).exit_code == 0
    found = run_json("search", "--photo", photos.parent / "third.png", "--library", library)
    assert all("time" not in one for one in found)
