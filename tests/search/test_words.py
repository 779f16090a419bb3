from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.search.words import MAX_WORD, allowed_typos, grams, phrases_of, typos, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("IMG_20190704 Sunset", ["img", "20190704", "sunset"]),
        ("beach2019-dog", ["beach", "2019", "dog"]),
        ("KätzchenFoto", ["katzchen", "foto"]),
        ("ZÜRICH Zu\u0308rich", ["zurich", "zurich"]),
        ("Straße ＳＴＲＡＳＳＥ", ["strasse", "strasse"]),
        ("Ελλάδα Россия", ["ελλαδα", "россия"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("แมวดำ", ["แ", "ม", "ว", "ด\u0e4d", "า"]),
        ("हिन्दी शब्द", ["हिन्दी", "शब्द"]),
        ("서울 사진", ["서울", "사진"]),
        ("قطة صغيرة", ["قطة", "صغيرة"]),
        ("... --- ''", []),
        ("a" * 500, ["a" * MAX_WORD]),
    ],
)
def test_words_of_any_script(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_unspaced_scripts_are_phrases() -> None:
    assert list(phrases_of("東京 tower")) == [["東", "京"], ["tower"]]


@given(st.text(max_size=200))
def test_words_are_safe_to_quote(text: str) -> None:
    for word in words_of(text):
        assert word
        assert '"' not in word
        assert "\0" not in word
        assert not any(character.isspace() for character in word)
        assert words_of(word) == [word] or len(word) == MAX_WORD or word.casefold() != word or not word.isascii()


def slow_typos(a: str, b: str) -> int:
    """The same distance by recursion."""
    if not a or not b:
        return len(a) + len(b)
    best = min(slow_typos(a[:-1], b) + 1, slow_typos(a, b[:-1]) + 1, slow_typos(a[:-1], b[:-1]) + (a[-1] != b[-1]))
    if len(a) > 1 and len(b) > 1 and a[-1] == b[-2] and a[-2] == b[-1]:
        best = min(best, slow_typos(a[:-2], b[:-2]) + 1)
    return best


@pytest.mark.slow
@given(st.text("abc", max_size=5), st.text("abc", max_size=5), st.integers(0, 3))
def test_typos_are_those_of_a_slow_loop(a: str, b: str, most: int) -> None:
    assert typos(a, b, most) == min(slow_typos(a, b), most + 1)


def test_longer_words_may_have_more_typos() -> None:
    assert [allowed_typos(word) for word in ("ab", "cat", "beach", "sunset", "2019")] == [0, 1, 1, 2, 0]


def test_one_typo_leaves_trigrams() -> None:
    for wrong in ("baech", "beech", "each", "beacj", "beachs", "xbeach"):
        assert grams("beach") & grams(wrong), wrong
