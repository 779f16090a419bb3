"""Check that texts use the words of docs/glossary.md: ``python tools/check_words.py [FOLDER]``, part of ``make lint``.

Prints each old word with its file, line and replacement, and exits with 1 if there is any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

CHECKED = ("src", "docs", "tests", "experiments", "tools", "benchmarks", "README.md", "CHANGELOG.md", "CONTRIBUTING.md")
SUFFIXES = {".py", ".md", ".js", ".ts", ".html", ".css", ".yaml", ".txt", ".sh"}
# Third-party files, measured data, pages that `make docs` writes (their sources are checked), and files that must
# name the old words.
SKIPPED = (
    "src/sketchseek/web/vendor/",
    "docs/measured/",
    "docs/reliability.md",
    "docs/command-line.md",
    "docs/results.md",
    "docs/models.md",
    "src/sketchseek/models/bundled/",
    "docs/glossary.md",
    "tools/check_words.py",
    "tests/test_words.py",
)

# An old word (a regular expression, matched without regard to case) and what to write instead.
OLD_WORDS = {
    r"artefact": "artifact or model package",
    r"catalogue": "catalog",
    r"licence": "license",
    r"colour": "color",
    r"\bgrey": "gray",
    r"normalis": "normaliz...",
    r"quantis": "quantiz...",
    r"worklist": "scan diff",
    r"\bfollowers?\b": "index mirror",
    r"narrowing": "filter",
    r"TwoEncoders|two_encoders": "DualEncoder",
    r"\ban package": "a package",
    r"(training|search) wing": "the training or search half",
    r"near[- ]twin": "near-duplicate",
    r"backbone_rate": "learning_rate_multiplier",
    r"exact photo": "instance-level",
    r"eight[- ]bits?\b": "INT8",
    r"hidden subject": "occluded",
    r"\b(is|are|was|were) looked for": "a verb such as search or detect",
    r"redrawing": "sketch corruption",
    r"\bmanners\b": "sketch corruptions",
    r"(training|validation|test|held-out) parts?\b": "split or subset",
    r"(training|validation|test) shares?\b": "split or fraction",
    r"\bshare of\b": "fraction of",
    r"unfinished (drawing|sketch)(e?s)?": "partial sketch",
    r"loose (drawing|sketch)(e?s)?": "unpaired sketch",
    r"figures? of merit": "metric",
}
_TRAINING = {
    r"\btrunks?\b|_trunks?\b": "frozen features",
    r"\btraced\b|_traced\b": "pseudo-sketch",
    r"\bloose\b|_loose\b": "unpaired",
    r"\bshare\b(?=\s*[:=])": "fraction",
    r"\b(photo|sketch) side\b": "branch",
    r"\bworkers?\b": "process",
    r"first_alone": "main_process_first",
    r"\bdrawings?\b": "sketch",
    r"settles?\b": "recalibrate or determine",
}
_OLD_SETTINGS = {
    r"\bmemory:(?= *\d)": "cross_batch_memory",
    r"\bclip:(?= *\d)": "gradient_clip_norm",
}
# Old words of one part of the code only, which are ordinary English elsewhere.
OLD_WORDS_BY_FOLDER = {
    "src/sketchseek/ablations/": {
        r"\bstud(y|ies)\b": "ablation",
        r"\bvariants?\b": "configuration",
        r"\bclaims?\b": "hypothesis",
    },
    "src/sketchseek/training/": _TRAINING,
    "src/sketchseek/evaluation/": {
        r"\bvectors?\b": "embedding",
        r"shelved": "gallery",
        r"\bdrawings?\b": "sketch",
        r"\bfigures\b": "metric",
    },
    "src/sketchseek/audit/": {
        r"\bvectors?\b": "embedding",
        r"wrong[- ]object": "mislabeled",
        r"\bdrawings?\b": "sketch",
        r"\bshare\b": "fraction",
    },
    "src/sketchseek/datasets/": {r"\btraced\b": "pseudo"},
    "src/sketchseek/server/": {
        r"\bbounds\b": "filter",
        r"\bWanted\b": "Filter",
        r"\bvectors?\b": "embedding",
        r"\bdrawings?\b": "sketch",
    },
    "src/sketchseek/web/": {r"\bbounds\b": "filter", r"\bvectors?\b": "embedding"},
    "src/sketchseek/cluster/": {r"\bbounds\b": "filter"},
    "src/sketchseek/search/": {
        r"\bWanted\b": "Filter",
        r"\bepochs?\b": "revision",
        r"\bbounds\b": "filter",
        r"\bdrawings?\b": "sketch",
    },
    "experiments/": _OLD_SETTINGS,
    "experiments/ablations/": {r"\bstud(y|ies)\b": "ablation", r"\bclaims?\b": "hypothesis"},
    "docs/": _OLD_SETTINGS | {r"\(study of\b": "ablation of", r"\bfigures\b": "metrics"},
}
# A file and the old words that it may have.
ALLOWED: dict[str, frozenset[str]] = {
    "experiments/encoders/lab/pseudo.py": frozenset({"are looked for", "eight bits"}),
    "experiments/encoders/lab/words.py": frozenset({"grey"}),  # the ImageNet class "great grey owl"
}


def text_files(root: Path) -> Iterator[Path]:
    """Yield the checked files below a repository's root, in order of their names."""
    for name in CHECKED:
        top = root / name
        for path in sorted([top] if top.is_file() else top.rglob("*")):
            inside = path.relative_to(root).as_posix()
            if path.is_file() and path.suffix in SUFFIXES and not inside.startswith(SKIPPED):
                yield path


def old_words(text: str, inside: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, old word and replacement for a file's text; ``inside`` is its path in the repository."""
    rules = dict(OLD_WORDS)
    for folder, more in OLD_WORDS_BY_FOLDER.items():
        if inside.startswith(folder):
            rules |= more
    allowed = ALLOWED.get(inside, frozenset())
    for pattern, instead in rules.items():
        # Capitals tell the class Wanted from the verb.
        for found in re.finditer(pattern, text, 0 if "Wanted" in pattern else re.IGNORECASE):
            if found.group().lower() not in allowed:
                yield text.count("\n", 0, found.start()) + 1, found.group(), instead


def check(root: Path) -> list[str]:
    """Return one message for each old word below a repository's root."""
    messages = []
    for path in text_files(root):
        inside = path.relative_to(root).as_posix()
        for line, word, instead in sorted(old_words(path.read_text(encoding="utf-8"), inside)):
            messages.append(f"{inside}:{line}: write {instead}, not {word!r}")
    return messages


def main() -> int:
    """Print the messages; return 1 if there are any."""
    messages = check(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1])
    sys.stdout.writelines(f"{message}\n" for message in messages)
    return int(bool(messages))


if __name__ == "__main__":
    sys.exit(main())
