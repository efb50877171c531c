"""The canonical form of a path: one spelling that means one file everywhere; never repaired.

Relative, `/` between segments, the same under every normalisation of Unicode and on every file
system, and nothing that git, Windows or a shell would read as something else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from autopack.phases.codes import Code

MAX_BYTES = 1024
"""PATH_MAX of macOS, the shortest among the systems git runs on."""
MAX_SEGMENT = 255
MAX_DEPTH = 64

_EASY = re.compile(r"(?:\w(?:[\w.+-]{0,80}[\w+-])?/){0,16}\w(?:[\w.+-]{0,80}[\w+-])?", re.ASCII)
_SPECIAL = frozenset(':~$%*?[]{}<>|"`;')
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|CLOCK\$|(?:COM|LPT)[0-9])", re.I)
_EASY_DEVICE = re.compile(r"(?:^|/)(?:con|prn|aux|nul|com\d|lpt\d)(?:[./]|$)", re.I | re.ASCII)
_ROOTED = re.compile(r"[/\\]|[A-Za-z]:")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_SLASHES_AND_DOTS = frozenset(
    "\u0337\u0338\u2044\u2215\u2216\u2571\u2572\u27cb\u27cd\u29f5\u29f8\u29f9\u3033\u4e3f\u4e36"
    "\u20d2\u20e5\u20eb\u3002\u0589\u05c3\u0701\u0702\u0703\u0704\u2236\ua4f8\ua4fd\ua789\u02d0\u02f8\u16ec\u1804\u1809"
)
"""What looks like `/`, `\\`, `.` or `:` and is left alone by NFKC (Unicode TR 39, confusables)."""
_ALPHABETS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU")
"""Alphabets whose letters look like each other's: one word holds one of them."""


def fault(path: str) -> Code | None:
    """Return why a path is not canonical, or None for one that is.

    Surrogates stand for bytes that are no UTF-8 (PEP 383).
    """
    if is_plain(path):
        return None
    segments = path.split("/")
    return _shape(path) or _letters(path, segments) or _names(segments) or _size(path, segments)


def is_plain(path: str) -> bool:
    """Return whether a path is canonical at a glance: letters, digits, `_-+.` alone."""
    return _EASY.fullmatch(path) is not None and _EASY_DEVICE.search(path) is None


def _shape(path: str) -> Code | None:
    if any(_is_git(name) for name in re.split(r"[/\\]", path)):
        return "PS209"
    if not path:
        return "PS201"
    if _ROOTED.match(path):
        return "PS202"
    return "PS203" if "\\" in path else None


def _letters(path: str, segments: list[str]) -> Code | None:
    if any(_unseen(letter) for letter in path):
        return "PS204"
    if any(name in ("", ".", "..") for name in segments):
        return "PS201"
    if any(_is_device(name) for name in segments):
        return "PS208"
    if not _SPECIAL.isdisjoint(path) or path[0] in "-!":
        return "PS206"
    return None if path.isascii() else _foreign(path, segments)


def _unseen(letter: str) -> bool:
    """Return whether a character has no picture: control, format, ignorable, blank but space."""
    if " " <= letter <= "~":
        return False
    return unicodedata.category(letter) in _UNSEEN or _ignorable(letter)


def _ignorable(letter: str) -> bool:
    """Return whether Unicode lets a program leave a letter out (Default_Ignorable_Code_Point)."""
    return (
        letter in "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
        or "\u180b" <= letter <= "\u180f"
        or "\ufe00" <= letter <= "\ufe0f"
        or "\U000e0000" <= letter <= "\U000e0fff"
    )


def _foreign(path: str, segments: list[str]) -> Code | None:
    if any(name.startswith(".") and not name.isascii() for name in segments):
        return "PS209"  # a dot file that looks like one that programs obey
    if unicodedata.normalize("NFKC", path) != path or not _SLASHES_AND_DOTS.isdisjoint(path):
        return "PS205"
    if any(unicodedata.category(name[0]).startswith("M") for name in segments):
        return "PS205"
    return "PS205" if any(map(_mixed, re.findall(r"[^\W\d_]+", path))) else None


def _mixed(word: str) -> bool:
    """Return whether a word is spelled with letters of two alphabets that look alike."""
    if word.isascii():
        return False
    names = (unicodedata.name(letter, "").partition(" ")[0] for letter in word)
    return len({name for name in names if name in _ALPHABETS}) > 1


def _is_git(name: str) -> bool:
    """Return whether HFS+, NTFS or a reader could take a segment for `.git`.

    As git's `is_hfs_dotgit` and `is_ntfs_dotgit`: ignorable characters, upper case, trailing dots
    and spaces, streams after `:`, and the short names `git~1` and so on.
    """
    if not any(letter in "gGｇＧ" or letter > "~" for letter in name):
        return False
    seen = "".join(letter for letter in name if not _unseen(letter) or letter == " ")
    plain = unicodedata.normalize("NFKC", seen).casefold().replace("\u0131", "i")
    plain = plain.replace("i\u0307", "i").partition(":")[0].strip(" ").rstrip(". ")
    return plain == ".git" or re.fullmatch(r"git~\d+", plain) is not None


def _is_device(name: str) -> bool:
    stem = unicodedata.normalize("NFKC", re.split(r"[.:]", name)[0]).rstrip(" ")
    return _DEVICE.fullmatch(stem) is not None


def _names(segments: Iterable[str]) -> Code | None:
    bad = any(name[0] == " " or name[-1] in " ." for name in segments)
    return "PS207" if bad else None


def _size(path: str, segments: list[str]) -> Code | None:
    long = max(map(_bytes, segments)) > MAX_SEGMENT
    return "PS210" if long or _bytes(path) > MAX_BYTES or len(segments) > MAX_DEPTH else None


def _bytes(words: str) -> int:
    return len(words.encode("utf-8", "surrogateescape"))


def fold(path: str) -> str:
    """Return a path as a file system that ignores case compares it, letter by letter."""
    return path.lower() if path.isascii() else "".join(map(_folded, path))


def _folded(letter: str) -> str:
    upper = letter.upper() if len(letter.upper()) == 1 else letter
    lower = upper.lower()
    return lower if len(lower) == 1 else letter
