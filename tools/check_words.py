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
    "docs/command-line.md",
    "docs/results.md",
    "docs/models.md",
    "docs/discussion.md",
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
}
# Old words of one part of the code only, which are ordinary English elsewhere.
OLD_WORDS_BY_FOLDER = {
    "src/sketchseek/ablations/": {
        r"\bstud(y|ies)\b": "ablation",
        r"\bvariants?\b": "configuration",
        r"\bclaims?\b": "hypothesis",
    },
    "src/sketchseek/search/": {r"\bWanted\b": "Filter"},
    "src/sketchseek/server/": {r"\bWanted\b": "Filter"},
}
# A file and the old words that it may have.
ALLOWED: dict[str, frozenset[str]] = {
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
