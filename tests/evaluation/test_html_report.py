from __future__ import annotations

import re
from pathlib import Path

from mini_sets import write_pairs
from sketchseek.encoder import Encoder
from sketchseek.evaluation.html_report import write_page
from sketchseek.evaluation.protocols import evaluate_pairs
from sketchseek.models.package import ModelPackage


def test_the_page_stands_alone_and_frames_the_right_photo(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_pairs(tmp_path / "<pairs>", photos=12)
    result = evaluate_pairs(root, Encoder(tiny_model, threads=1))
    write_page(tmp_path / "new/page.html", result, queries=10)
    text = (tmp_path / "new/page.html").read_text(encoding="utf-8")
    rows = text.split('<div class="row">')[1:]
    assert len(rows) == 10
    assert not re.search(r'(src|href)="(?!data:)', text)
    for row in rows:
        rank = int(re.findall(r"rank (\d+)", row)[0])
        frames = re.findall(r'<div class="(right|other)"', row)
        assert len(frames) == 8
        assert [i for i, frame in enumerate(frames, 1) if frame == "right"] == ([rank] if rank <= 8 else [])


def test_names_cannot_write_html(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_pairs(tmp_path, photos=2)
    for side, end in (("photo", ".jpg"), ("sketch", "-1.png"), ("sketch", "-2.png")):
        (root / side / f"p0{end}").rename(root / side / f'"><b>p0{end}')
    write_page(tmp_path / "page.html", evaluate_pairs(root, Encoder(tiny_model, threads=1)))
    assert "<b>" not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_sketches_that_cannot_be_read_are_not_shown(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_pairs(tmp_path, photos=2, sketches=1)
    (root / "sketch/p0-1.png").write_bytes(b"")
    write_page(tmp_path / "page.html", evaluate_pairs(root, Encoder(tiny_model, threads=1)))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count('<div class="row">') == 1
    assert "could not be read: 1." in text
