"""An audit from end to end on small sets with known faults."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mini_sets import strokes, write_categories, write_chairv2, write_pairs, write_qmul, write_sketch, write_sketchy
from sketchseek.audit.exclusion_lists import write_lists
from sketchseek.audit.findings import Finding
from sketchseek.audit.html_report import write_page
from sketchseek.audit.inputs import load_input
from sketchseek.audit.run import ONE_CATEGORY, TEST_ONLY, audit
from sketchseek.datasets.exclusions import exclude
from sketchseek.datasets.sketchy import VARIANT, invalid_sketches, load_sketchy
from sketchseek.encoder import Encoder
from sketchseek.errors import ConfigError, DatasetError
from sketchseek.models.package import ModelPackage
from sketchseek.sketches import rasterize_sketch


@pytest.fixture
def encoder(tiny_model: ModelPackage) -> Encoder:
    return Encoder(tiny_model, threads=1)


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Two of each category train; one is a re-encoding, one sketch blank, one runs off, one cannot be read."""
    root = write_sketchy(tmp_path / "sketchy")
    photos, sketches = root / f"256x256/photo/{VARIANT}", root / f"256x256/sketch/{VARIANT}"
    Image.open(photos / "cat/n02_102.jpg").resize((50, 50)).save(photos / "cat/n03_103.jpg", quality=60)
    Image.open(photos / "cat/n02_102.jpg").save(photos / "cat/n00_100.jpg", quality=60)
    Image.new("L", (64, 64), 255).save(sketches / "cat/n02_102-1.png")
    edge = np.full((64, 64), 255, dtype=np.uint8)
    edge[30:33, :], edge[10:50, 20:23] = 0, 0
    Image.fromarray(edge).save(sketches / "hot-air_balloon/n02_102-1.png")
    (sketches / "hot-air_balloon/n03_103-1.png").write_bytes(b"no picture")
    return root


def test_known_faults_are_found_listed_and_shown(faulty: Path, tmp_path: Path, encoder: Encoder) -> None:
    found = audit(load_input("sketchy", faulty), encoder)
    keys = {kind: [finding.key for finding in findings] for kind, findings in found.findings.items()}
    assert keys["blank"] == ["cat/n02_102-1"]
    assert keys["cropped"] == ["hot-air_balloon/n02_102-1"]
    assert keys["exact_duplicate"] == ["cat/n02_102"]
    assert "cross_split_duplicate" not in keys
    # The blank sketch has no raster, so that it has no embedding either.
    assert {problem.key for problem in found.problems} == {"cat/n02_102-1", "hot-air_balloon/n03_103-1"}
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["counts"]["blank"] == 1
    assert data["photos"] == 6
    assert data["fingerprint"] == encoder.manifest.fingerprint
    assert data["thresholds"]["blank"] == {"value": 1.2, "quantile": None, "of": 0}
    for kind, quantile in (("mislabeled", 0.988), ("near_duplicate", 0.99)):
        assert data["thresholds"][kind]["quantile"] == quantile
        assert data["thresholds"][kind]["value"] == pytest.approx(found.thresholds[kind].value, abs=1e-4)
    assert all("n00" not in json.dumps(f) and "n01" not in json.dumps(f) for f in data["findings"])

    files = write_lists(tmp_path / "info", found)
    assert files["error"].name == "invalid-error.txt"
    assert "cat/n02_102\tcat/n03_103\n" in files["near-duplicates"].read_text()
    assert "cat/n02_102-1" in invalid_sketches(tmp_path)["error"]
    rest = exclude(load_sketchy(faulty), [files["error"]])
    assert "cat/n02_102-1" not in {sketch.key for sketch in rest.sketches}

    write_page(tmp_path / "out/report.html", found, files)
    page = (tmp_path / "out/report.html").read_text()
    assert all(f"id='{kind}'" in page for kind in [*found.findings, "negatives", "problems"])
    assert "data:image/jpeg;base64," in page
    assert "http" not in page.replace("http-equiv", "")
    assert "Where the model was trained on these very sketches" in page
    assert "dark" in page
    assert f"{found.thresholds['mispaired'].value:.3f}, from the 96.4 % quantile of" in page


def test_an_outlier_is_shown_beside_its_peers(tmp_path: Path, encoder: Encoder) -> None:
    root = write_sketchy(tmp_path / "sketchy", sketches=3)
    found = audit(load_input("sketchy", root), encoder)
    odd = Finding("outlier", "cat/n02_102-1", "cat", 1.0, {}, ("cat/n03_103",))
    pages = {}
    for name, findings in (("with", (odd,)), ("without", ())):
        changed = replace(found, findings={**found.findings, "outlier": findings})
        write_page(tmp_path / f"{name}.html", changed, write_lists(tmp_path / name, changed))
        pages[name] = (tmp_path / f"{name}.html").read_text()
    assert pages["with"].count("same photo<") == 2
    assert "same photo<" not in pages["without"]


def test_an_audit_of_the_training_split_reads_no_file_of_the_test_split(faulty: Path, encoder: Encoder) -> None:
    before = audit(load_input("sketchy", faulty), encoder).to_dict()
    for file in faulty.glob("256x256/*/*/*/n0[01]_*"):  # the photos on the list and their sketches
        file.write_bytes(b"no picture")
    assert audit(load_input("sketchy", faulty), encoder).to_dict() == before


def test_the_test_split_is_audited_apart_and_fits_no_training(faulty: Path, tmp_path: Path, encoder: Encoder) -> None:
    part = load_input("sketchy", faulty, "test")
    found = audit(part, encoder)
    across = found.findings["cross_split_duplicate"]
    assert {(finding.key, finding.others[0]) for finding in across if finding.facts["duplicates"] == "same"} == {
        ("cat/n00_100", "cat/n02_102"),
        ("cat/n00_100", "cat/n03_103"),
    }
    assert TEST_ONLY in found.remarks
    assert {f.key for f in found.findings["blank"]} == set()  # it is in the training split
    files = write_lists(tmp_path / "lists", found)
    assert all(file.name.startswith("test-split-") for file in files.values())
    write_page(tmp_path / "report.html", found, files)
    assert TEST_ONLY in (tmp_path / "report.html").read_text()
    files["pose"].write_text("cat/n00_100-1\n")
    with pytest.raises(DatasetError, match="none of its 1 entries is in the training subset"):
        exclude(load_input("sketchy", faulty).dataset, [files["pose"]])


def test_a_mislabeled_sketch_is_found(tmp_path: Path, encoder: Encoder) -> None:
    """Two categories of one shape each, and photos that look as sketches do; one sketch is of the other's shape."""
    for category, shape in (("cup", "one"), ("saw", "another")):
        (tmp_path / f"photo/{category}").mkdir(parents=True)
        photo = Image.fromarray(rasterize_sketch(strokes(shape), 64)).convert("RGB")
        for i in range(6):
            photo.save(tmp_path / f"photo/{category}/{i}.jpg")
        write_sketch(tmp_path / f"sketch/{category}/right.png", shape)
    write_sketch(tmp_path / "sketch/cup/wrong.png", "another")
    found = audit(load_input("categories", tmp_path), encoder)
    assert [finding.key for finding in found.findings["mislabeled"]] == ["cup/wrong.png"]
    assert found.findings["mislabeled"][0].facts["taken_for"] == "saw"
    assert [(c.category, c.taken_for, c.sketches) for c in found.confusions] == [("cup", "saw", 1)]
    assert np.isnan(found.own_first)
    assert found.to_dict()["own_first"] is None


def test_an_audit_that_was_interrupted_goes_on(
    faulty: Path, tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = load_input("sketchy", faulty)
    first = audit(part, encoder, cache=tmp_path / "cache")

    def refuse(pixels: np.ndarray) -> np.ndarray:
        raise AssertionError("embedded again")

    monkeypatch.setattr(encoder, "encode_photo_pixels", refuse)
    monkeypatch.setattr(encoder, "encode_sketch_pixels", refuse)
    again = audit(part, encoder, cache=tmp_path / "cache")
    assert again.to_dict() == first.to_dict()
    write_sketch(faulty / f"256x256/sketch/{VARIANT}/cat/n02_102-1.png", "cat/n02_102")
    with pytest.raises(AssertionError, match="embedded again"):
        audit(part, encoder, cache=tmp_path / "cache")
    file = tmp_path / "cache/train-photos.npz"
    for torn in (b"", b"torn", file.read_bytes()[:300]):
        file.write_bytes(torn)
        with pytest.raises(AssertionError, match="embedded again"):
            audit(part, encoder, cache=tmp_path / "cache")


@pytest.mark.parametrize("kind", ["chairv2", "shoev2", "pairs", "categories"])
def test_every_kind_of_set(tmp_path: Path, encoder: Encoder, kind: str) -> None:
    write: dict[str, Any] = {
        "chairv2": write_chairv2,
        "shoev2": write_qmul,
        "pairs": write_pairs,
        "categories": write_categories,
    }
    part = load_input(kind, write[kind](tmp_path))
    found = audit(part, encoder)
    assert len(found.categories) == (3 if kind == "categories" else 1)
    alone = kind != "categories"
    assert (ONE_CATEGORY in found.remarks) is alone
    assert (found.to_dict()["thresholds"]["near_duplicate"]["value"] is None) is alone
    assert not alone or found.findings["near_duplicate"] == ()
    assert alone or found.findings["mispaired"] == ()
    if kind in ("pairs", "categories"):
        with pytest.raises(ConfigError, match="has no test split"):
            load_input(kind, tmp_path, "test")
    else:
        assert load_input(kind, tmp_path, "test").dataset.photos


def test_halves_part_the_drawn_photos_and_can_be_audited_alone(faulty: Path, tmp_path: Path, encoder: Encoder) -> None:
    whole = load_input("sketchy", faulty)
    files = write_lists(tmp_path / "lists", audit(whole, encoder))
    halves = [files[name].read_text().split() for name in ("half-1", "half-2")]
    assert sorted(halves[0] + halves[1]) == sorted({str(sketch.photo) for sketch in whole.dataset.sketches})
    name = "half-1" if halves[0] else "half-2"
    part = load_input("sketchy", faulty, only=files[name])
    assert {sketch.photo for sketch in part.dataset.sketches} == set(files[name].read_text().split())
    assert part.dataset.photos == whole.dataset.photos
    assert f"{name}.txt names" in " ".join(audit(part, encoder).remarks)
    with pytest.raises(DatasetError, match="has a sketch in the test subset"):
        load_input("sketchy", faulty, "test", only=files[name])


def test_nothing_to_audit_is_an_error(tmp_path: Path, encoder: Encoder) -> None:
    write_pairs(tmp_path)
    for photo in (tmp_path / "photo").iterdir():
        photo.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="none of its 5 photos can be read"):
        audit(load_input("pairs", tmp_path), encoder)
