"""Words of file names, captions and queries, in one form: case, accents and width do not matter, in any script.

Both sides of a text search use ``words_of``. Scripts that are written without spaces, such as Chinese and Thai, are
split into characters: a query for two of them then finds them inside a longer text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

MAX_CHARACTERS = 4000
"""Longer texts are cut: the rest of a caption is not searched."""

MAX_WORD = 60
"""Longer words are cut, for example text without any break."""

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, kana and Chinese characters."""

_LATIN_MARKS = re.compile("[\u0300-\u036f]")


def phrases_of(text: str) -> Iterator[list[str]]:
    """Yield the phrases of a text: a word is a phrase of one; a run of an unspaced script is a phrase of characters."""
    text = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS])
    # "SunsetBeach" is two words.
    text = "".join(f" {b}" if b.isupper() and a.islower() else b for a, b in pairwise(f" {text}")).casefold()
    text = unicodedata.normalize("NFC", _LATIN_MARKS.sub("", unicodedata.normalize("NFD", text)))
    run: list[str] = []
    kind = ""
    for character in text:
        now = unicodedata.category(character)[0]  # L letter, N number, M mark, and others, which separate words
        if now == "M":
            if run:
                run[-1] += character
            continue
        if _UNSPACED.match(character) and now in "LN":
            now = "unspaced"
        if now != kind and run:
            yield _phrase(run, kind)
            run = []
        kind = now
        if kind in ("L", "N", "unspaced"):
            run.append(character)
    if run:
        yield _phrase(run, kind)


def _phrase(run: list[str], kind: str) -> list[str]:
    return run[:MAX_WORD] if kind == "unspaced" else ["".join(run)[:MAX_WORD]]


def words_of(text: str) -> list[str]:
    """Return the words of a text, in order."""
    return [word for phrase in phrases_of(text) for word in phrase]


def allowed_typos(word: str) -> int:
    """Return how many typos a query word may have: none up to two characters, one up to five, else two."""
    return 0 if len(word) < 3 or word.isdigit() else 1 if len(word) < 6 else 2


def typos(a: str, b: str, most: int) -> int:
    """Return the number of typos between two words, or ``most + 1`` if there are more.

    An insertion, deletion, substitution or swap of two neighbors is one typo (optimal string alignment distance).
    """
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            best = min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        if min(row) > most:
            return most + 1
        before, above = above, row
    return min(above[-1], most + 1)


def grams(word: str) -> set[str]:
    """Return the trigrams of a word with its ends marked: even a typo near an end leaves some of them."""
    padded = f"##{word}##"
    return {f"{a}{b}{c}" for (a, b), (_, c) in pairwise(list(pairwise(padded)))}
