"""A redirect stub: a small page at the place that a page has left, which leads to where it is now.

    ---
    redirect_to: "guides/NEW.md"
    moved_in: "0123…"
    ---
    <!-- autopack-redirect sha256:… -->

The digest is that of all other lines, so that a stub which people have changed is known as theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape, unescape

from autopack.links.candidates import address, relative
from autopack.links.target import join
from autopack.links.tree import Tree

_MARK = "<!-- autopack-redirect sha256:"
_HEAD = 16_384
"""How far from its beginning, in bytes, a page is searched for the mark."""
_MARK_LINE = re.compile(rf"^{_MARK}([0-9a-f]{{64}}) -->\n", re.M)
_FRONT = re.compile(r"---\n(.*?\n)---\n", re.S)
_FIELD = re.compile(r"^(redirect_to|moved_in|promised):[ \t]*(\S.*?)[ \t]*$", re.M)
_FRAGMENT = re.compile(r'^- <a id="([^"\n]+)"></a>', re.M)
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&])")


@dataclass(frozen=True, slots=True)
class Stub:
    """A stub at `path`, which leads to `target`; both count from the root.

    `fragments` are those of the page that was here, decoded, and `there` those of them that the
    new page has too. `moved_in` is the commit that took the page away, if it is known. `promised`
    keeps a stub that nothing in the repository links. `own` is false when people have changed it.
    """

    path: str
    target: str
    fragments: frozenset[str] = frozenset()
    there: frozenset[str] = frozenset()
    moved_in: str = ""
    promised: bool = False
    own: bool = True


def render(stub: Stub) -> bytes:
    """Return a stub's bytes."""
    front = "".join(f"{line}\n" for line in ("---", *_fields(stub), "---"))
    body = "".join(f"{line}\n" for line in ("", *_body(stub)))
    digest = _digest(front + body)
    return f"{front}{_MARK}{digest} -->\n{body}".encode()


def _fields(stub: Stub) -> Iterator[str]:
    yield f"redirect_to: {_quoted(relative(stub.path, stub.target))}"
    if stub.moved_in:
        yield f"moved_in: {_quoted(stub.moved_in)}"
    if stub.promised:
        yield "promised: true"


def _body(stub: Stub) -> Iterator[str]:
    yield "# This page has moved"
    yield ""
    yield f"It is now [{_text(stub.target)}]({address(stub.path, stub.target)})."
    if stub.fragments:
        yield ""
    for name in sorted(stub.fragments):
        leads = address(stub.path, stub.target, name if name in stub.there else None)
        yield f'- <a id="{escape(name)}"></a>[{_text(name)}]({leads})'


def _quoted(text: str) -> str:
    """Return a YAML string: commits of digits alone, and odd names, stay strings."""
    return json.dumps(text, ensure_ascii=False)


def _text(text: str) -> str:
    """Return Markdown that shows a text as it is."""
    return _SPECIAL.sub(r"\\\1", text)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def read_stub(path: str, data: bytes) -> Stub | None:
    """Return the stub that a page is, None for any other page; line ends do not matter."""
    if data.find(_MARK.encode(), 0, _HEAD) < 0:
        return None
    try:
        text = data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    front, mark = _FRONT.match(text), _MARK_LINE.search(text)
    fields = dict(_FIELD.findall(front[1])) if front else {}
    to = _unquoted(fields.get("redirect_to", ""))
    target, out = join(path, to)
    if mark is None or not to or out:
        return None
    return Stub(
        path,
        target,
        frozenset(map(unescape, _FRAGMENT.findall(text, mark.end()))),
        moved_in=_unquoted(fields.get("moved_in", "")),
        promised=fields.get("promised") == "true",
        own=_digest(text[: mark.start()] + text[mark.end() :]) == mark[1],
    )


def living(leads: Mapping[str, str], tree: Tree) -> dict[str, str]:
    """Return for each stub the page at the end of its way, "" where the way ends nowhere."""
    return {path: _last(path, leads, tree) for path in leads}


def _last(path: str, leads: Mapping[str, str], tree: Tree) -> str:
    seen = {path}
    while path in leads:
        path = leads[path]
        if path in seen:
            return ""
        seen.add(path)
    return path if path in tree else ""


def _unquoted(value: str) -> str:
    try:
        return str(json.loads(value)) if value.startswith('"') else value
    except ValueError:
        return value
