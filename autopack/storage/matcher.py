"""Globs as gitignore has them, as one regular expression that takes time linear in the path.

Paths are relative to the root, with `/`, as `autopack.storage.names` spells them: an escape such as
`\\\\xff` stands for one character, and no wildcard takes half of it. A glob without a `/` in its
middle floats to any depth; `*` and `?` stay within a name, `**` crosses folders; what is below a
matched folder is matched too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

ANY = "**"
MAX_STARS = 4
"""In one name, and `**` in one glob: where a matcher goes back, it takes the length to this power.
"""
MAX_LENGTH = 500
_AT_ONCE = 200
"""Globs in one expression; more would meet the size limit of the expressions' engine."""
_CHARACTER = r"(?:[^/\\]|\\(?:\\|x[0-9a-f]{2}))"
_ANYWHERE = "(?:.+/)?"
_STARS = f"{_CHARACTER}*"
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_TOKEN = re.compile(r"\\(.)|\[([!^]?)(\]?[^]]*)\]|(\*+)|(\?)|(.)", re.S)
_RANGE = re.compile(r"(.)-(.)|(.)", re.S)


def glob_fault(glob: str) -> str | None:
    """Return why a glob is refused, or None for one that has one reading."""
    if fault := next((said for bad, said in _faults(glob) if bad), None):
        return fault
    if is_windows(glob):
        return None
    names = glob.removeprefix("/").removesuffix("/").split("/")
    if names.count(ANY) > MAX_STARS:
        return f"** more than {MAX_STARS} times"
    return next((fault for name in names if name != ANY and (fault := _name_fault(name))), None)


def _faults(glob: str) -> Iterator[tuple[bool, str]]:
    yield not glob.strip("/ \t\r\n"), "empty"
    yield glob.startswith("!"), "a negation, and what is protected stays so; write \\! for the sign"
    yield glob.startswith("#"), "a comment in gitignore; write \\# for the sign"
    yield len(glob) > MAX_LENGTH, f"longer than {MAX_LENGTH} characters"
    yield glob[-1:].isspace() and not glob.endswith("\\ "), "ends with a space; write it as '\\ '"


def _name_fault(name: str) -> str | None:
    if name in ("", ".", ".."):
        return f"'{name}' between its slashes is no name"
    if len(name) > 1 and not name.strip("*"):
        return f"{name} is neither * nor **"
    if len(re.findall(r"\*+", name)) > MAX_STARS:
        return f"* more than {MAX_STARS} times in one name"
    return next((f for token in _TOKEN.finditer(name) if (f := _token_fault(token))), None)


def _token_fault(token: re.Match[str]) -> str | None:
    if token[6] in ("[", "\\"):
        return f"a {token[6]} without what belongs to it; write \\{token[6]} for the sign"
    return None if token[3] is None else _set_fault(token[3])


def _set_fault(inner: str) -> str | None:
    if "\\" in inner or "[:" in inner or "[." in inner or "[=" in inner:
        return f"[{inner}] is read differently by different programs"
    if not inner or any(r[1] and r[1] > r[2] for r in _RANGE.finditer(inner)):
        return f"[{inner}] names no character"
    return None


def is_windows(glob: str) -> bool:
    """Return whether a glob names a drive: it is kept, and matches nothing in a tree of POSIX."""
    return _DRIVE.match(glob) is not None


def translate(glob: str, *, covering: bool = False) -> str:
    """Return the expression that a matched path begins with.

    Args:
        glob: One that `glob_fault` lets pass.
        covering: `x/**` and `x/` match `x` itself as well, whatever it is.
    """
    if is_windows(glob):
        return "[^\\s\\S]"
    folder, names = glob.endswith("/"), glob.strip("/").split("/")
    if len(names) == 1 and not glob.startswith("/"):
        names.insert(0, ANY)
    if folder:
        names.append(ANY)
    names = [name for n, name in enumerate(names) if name != ANY or names[n - 1 : n] != [ANY]]
    end = r"(?:/|\z)"
    below = end if covering else "/"
    if names == [ANY]:
        return ".*/" if folder and not covering else ""
    last = names.pop() if names[-1] == ANY else None
    made = "".join(_piece(name, n, len(names)) for n, name in enumerate(names))
    return made + (below if last else end)


def _piece(name: str, at: int, many: int) -> str:
    if name == ANY:
        return _ANYWHERE
    return _name(name) + ("/" if at < many - 1 else "")


def _name(name: str) -> str:
    if name == "*":
        return "[^/]+"
    return "".join(_token(token) for token in _TOKEN.finditer(name))


def _token(token: re.Match[str]) -> str:
    escaped, negated, inner, stars, one, plain = token.groups()
    if stars:
        return _STARS
    if one:
        return _CHARACTER
    if inner is not None:
        return _set(inner, bool(negated))
    return _literal(escaped or plain)


def _literal(character: str) -> str:
    return r"\\\\" if character == "\\" else re.escape(character)


def _set(inner: str, negated: bool) -> str:
    ranges = "".join(
        f"{_in_set(r[1])}-{_in_set(r[2])}" if r[1] else _in_set(r[3])
        for r in _RANGE.finditer(inner)
    )
    if not negated:
        return f"[{ranges}]" if "/" not in inner else rf"(?:[{ranges}])"
    return rf"(?:[^{ranges}/\\]|\\(?:\\|x[0-9a-f]{{2}}))"


def _in_set(character: str) -> str:
    return f"\\{character}" if not character.isalnum() and character.isascii() else character


@dataclass(frozen=True)
class Globs:
    """Some globs as one matcher. `fold` ignores case and how accents are composed."""

    globs: tuple[str, ...]
    fold: bool = False
    covering: bool = False

    def series(self, paths: pl.Series) -> pl.Series:
        """Return for each path whether one of the globs matches it."""
        import polars as pl

        found = pl.repeat(False, len(paths), dtype=pl.Boolean, eager=True)
        text = composed(paths) if self.fold else paths
        for expression in self._expressions:
            found = found | text.str.contains(expression, strict=True)
        return found.alias("matched")

    def match(self, path: str) -> bool:
        """Return whether one of the globs matches a path."""
        text = unicodedata.normalize("NFC", path) if self.fold else path
        patterns = self._patterns if "\\" in path else self._plain_patterns
        return any(pattern.match(text) for pattern in patterns)

    @cached_property
    def _expressions(self) -> tuple[str, ...]:
        head = r"(?si)\A" if self.fold else r"(?s)\A"
        return tuple(head + _any(pack) for pack in self._packs)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(self._compiled(_any(pack)) for pack in self._packs)

    @cached_property
    def _plain_patterns(self) -> tuple[re.Pattern[str], ...]:
        """For paths without an escape, of which this is four times as fast."""
        words = (_any(pack).replace(_CHARACTER, "[^/]") for pack in self._packs)
        return tuple(self._compiled(word) for word in words)

    def _compiled(self, expression: str) -> re.Pattern[str]:
        flags = re.S | re.I if self.fold else re.S
        return re.compile(expression.replace(r"\z", r"\Z"), flags)

    @cached_property
    def _packs(self) -> list[list[str]]:
        globs = (unicodedata.normalize("NFC", g) if self.fold else g for g in self.globs)
        words = [translate(glob, covering=self.covering) for glob in globs]
        return [words[n : n + _AT_ONCE] for n in range(0, len(words), _AT_ONCE)]


def _any(words: Sequence[str]) -> str:
    """Return the alternatives as one expression; those that begin alike share the way to there."""
    return _shared(_ANYWHERE, words, lambda rest: _shared(_STARS, rest, "|".join))


def _shared(start: str, words: Sequence[str], join: Callable[[Sequence[str]], str]) -> str:
    alike = [word.removeprefix(start) for word in words if word.startswith(start)]
    others = [word for word in words if not word.startswith(start)]
    return f"(?:{'|'.join([*others, *([f'{start}(?:{join(alike)})'] if alike else [])])})"


def composed(paths: pl.Series) -> pl.Series:
    """Return paths with their accents composed (Unicode normal form C)."""
    import polars as pl

    other = paths.str.len_bytes() != paths.str.len_chars()
    if not other.any():
        return paths
    rows = other.arg_true()
    made = [unicodedata.normalize("NFC", path) for path in paths.gather(rows).to_list()]
    return paths.clone().scatter(rows, pl.Series(made, dtype=pl.String))
