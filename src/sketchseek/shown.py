"""Text from outside, such as names of files and models, made safe to show on a terminal."""

from __future__ import annotations

_JOINER = "\u200d"  # joins emoji, which people do have in names


def shown(text: str, *, lines: bool = False) -> str:
    """Return a text with everything escaped that a terminal would obey or hide: control and format characters.

    Args:
        text: Any text, also with surrogates.
        lines: Whether line breaks stay.
    """
    if text.isprintable():
        return text
    return "".join(one if _is_safe(one) or (lines and one == "\n") else _escaped(one) for one in text)


def _is_safe(character: str) -> bool:
    return character.isprintable() or character == _JOINER


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
