"""Where a broken link could lead: what is certain, and what merely looks alike."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterable, Iterator
from functools import cache
from urllib.parse import quote

from autopack.links.anchors import slug
from autopack.links.target import Target, join, without_lines
from autopack.links.tree import Tree, is_markdown
from autopack.links.verdict import SUB_WORDS, Candidate, Sub

FUZZY = 3
"""How many places that look alike are named."""
_PATH_SAFE = "/-_.~!$*+,;=:@"
_SUFFIX_SAFE = _PATH_SAFE + "?#%&"


def certain(tree: Tree, page: str, target: Target) -> tuple[Sub, Candidate] | None:
    """Return the one place a target means beyond doubt, and what is wrong with it as written.

    In this order: the line suffix off, the root as the base, upper and lower case.
    """
    for sub, path, lines in _readings(tree, page, target):
        bare = "line_suffix" if lines and sub == "wrong_base" else ""
        why = "; ".join(SUB_WORDS[word] for word in (sub, bare) if word)  # type: ignore[index]
        written = write(page, path, target, lines)
        return sub, Candidate(path, "certain", why, written)
    return None


def _readings(tree: Tree, page: str, target: Target) -> Iterator[tuple[Sub, str, str]]:
    spellings = [(target.path, "")]
    if target.lines:
        spellings.append((without_lines(target.path), target.lines))
    for path, lines in spellings:
        here, out = join(page, path)
        if lines and not out and here in tree:
            yield "line_suffix", here, lines
        root, above = join("", path)
        if not path.startswith("/") and not above and root in tree:
            yield "wrong_base", root, lines
        alike = [] if out else tree.ignoring_case(here)
        if len(alike) == 1 and alike[0] != here:
            yield "case_mismatch", alike[0], lines


def write(page: str, path: str, target: Target, lines: str = "") -> str:
    """Return the target, relative to a page, that leads to a path; query and fragment stay.

    It needs no escape in Markdown and HTML, but for `&` in a query: what could need one is
    percent-encoded (RFC 3986).
    """
    shown = relative(page, path)
    if target.path.endswith("/") and not shown.endswith("/"):
        shown += "/"
    suffix = target.suffix
    if lines and target.fragment is None:
        # GitHub shows lines of a Markdown file in its plain view only.
        plain = "?plain=1" if is_markdown(path) and not suffix else ""
        suffix = f"{suffix}{plain}#{lines}"
    return _encoded(shown, _PATH_SAFE) + _encoded(suffix, _SUFFIX_SAFE)


def address(page: str, path: str, fragment: str | None = None) -> str:
    """Return the target that leads from a page to a path, and to a decoded fragment of it."""
    shown = _encoded(relative(page, path), _PATH_SAFE)
    return shown if fragment is None else f"{shown}#{_encoded(fragment, _PATH_SAFE)}"


def relative(page: str, path: str) -> str:
    """Return the path from a page's folder to a path from the root."""
    shown = posixpath.relpath(f"/{path}", posixpath.dirname(f"/{page}"))
    return f"./{shown}" if ":" in shown.split("/")[0] else shown


def _encoded(text: str, safe: str) -> str:
    """Percent-encode ASCII that Markdown or HTML could read otherwise; letters stay readable."""
    return text.translate(_table(safe))


@cache
def _table(safe: str) -> dict[int, str]:
    return {code: quote(chr(code), safe=safe) for code in range(0x80)}


def alike(
    tree: Tree, resolved: str, page: str = "", target: Target | None = None
) -> Iterator[Candidate]:
    """Yield files of the same name; a common name must share its folder as well.

    With the page and its target they say what to write.
    """
    name = resolved.rpartition("/")[2]
    found = tree.named_alike(resolved, FUZZY) if name else []
    why = "the only file of this name" if len(found) == 1 else "the same name"
    for path in found[:FUZZY]:
        written = write(page, path, target, target.lines) if target else ""
        yield Candidate(path, "fuzzy", why, written)


def alike_anchors(path: str, anchors: Iterable[str], fragment: str) -> Iterator[Candidate]:
    """Yield fragments of a page that look like one it has not."""
    there = sorted(anchors)
    spelled = (slug(fragment), fragment.lower())
    exact = [name for name in there if name in spelled]
    for name in exact or difflib.get_close_matches(fragment, there, FUZZY, 0.6):
        why = "spelled as GitHub spells it" if exact else "looks alike"
        yield Candidate(f"{path}#{name}", "fuzzy", why)
