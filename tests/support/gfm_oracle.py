"""GitHub's own Markdown parser as a judge of links: `broken_links(root)`.

cmark-gfm renders every page, Python's HTML parser reads links and ids from the result, and a slug
rule and a walk that share nothing with `autopack.links` decide. The C library loses memory with
every page, so it works in a process of its own, which prints a line of JSON for every page:
`{"page": …, "links": n, "files": [targets that lead nowhere], "anchors": […]}`. `Worker` reads
pages that are on no disk, one after the other.
"""

from __future__ import annotations

import base64
import json
import os
import posixpath
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from tests.support.process import run_bounded
from tests.support.session import REPOSITORY, clean_environment

SKIPPED = {".git", "node_modules", ".venv", "venv", "__pycache__"}
MARKDOWN = (".md", ".markdown", ".mdown", ".mkd", ".mkdn")
_SCHEME = re.compile(r"(?:mailto|tel):|[A-Za-z][A-Za-z0-9+.-]+:(?!\d)|//")
_SITE = re.compile(
    r"(?:\.\./){2}(?:(?:issues|pulls?|wiki|releases|actions|discussions|projects|tree|blob|commits?|"
    r"compare|tags|labels|milestones?|security|graphs|network|stargazers|raw|edit|new)(?:/.*)?)?\Z"
)
"""What `../../` leads to from the root's pages, which are at `/OWNER/NAME/blob/BRANCH/`."""
_HIDDEN = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?][^>]*>", re.S)
"""Comments as a browser reads them: one that is not closed hides the rest of the page."""
_ENOUGH = 4_000_000
"""So many bytes a worker reads before it is replaced."""
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n.*?^(?:---|\.\.\.)[ \t]*\r?$", re.S | re.M)


def broken_links(root: Path, *pages: str) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """Return, for these pages or for all, the targets that lead to no file, and to no heading."""
    command = [sys.executable, "-m", "tests.support.gfm_oracle", str(root), *pages]
    done = run_bounded(command, cwd=REPOSITORY, env=clean_environment())
    assert done.returncode == 0, done.stderr
    said = map(json.loads, done.stdout.splitlines())
    return {page["page"]: (Counter(page["files"]), Counter(page["anchors"])) for page in said}


class Reading(HTMLParser):
    """Links, ids and heading texts of a rendered page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.headings: list[str] = []
        self._inside = False
        self.feed(_HIDDEN.sub("", html))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        if tag in ("a", "area") and "href" in values and not _is_footnote(dict(attrs)):
            self.links.append(values["href"].strip())
        if tag in ("img", "video", "audio", "source") and "src" in values:
            self.links.append(values["src"].strip())
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        if re.fullmatch("h[1-6]", tag):
            self.headings.append("")
            self._inside = True  # and one that is open ends here

    def handle_endtag(self, tag: str) -> None:
        if re.fullmatch("h[1-6]", tag):
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.headings[-1] += data


def _is_footnote(values: dict[str, str | None]) -> bool:
    return not {"data-footnote-ref", "data-footnote-backref"}.isdisjoint(values)


def render(text: str) -> str:
    """Return a page's HTML as GitHub's parser makes it, raw HTML kept."""
    import cmarkgfm
    from cmarkgfm.cmark import Options

    front = _FRONT_MATTER.match(text)
    if front:  # shown as a table
        text = "\n" * front[0].count("\n") + text[front.end() :]
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
    return cmarkgfm.github_flavored_markdown_to_html(text.replace("\0", "\ufffd"), options)


def slugs(headings: list[str]) -> Iterator[str]:
    """Yield each heading's fragment as html-pipeline and as github-slugger number it.

    Spaces at its ends, which images and comments leave, count or not.
    """
    count: dict[str, int] = {}
    used: set[str] = set()
    for heading in headings:
        plain = "".join(map(_kept, heading.strip().lower()))
        for kept in {plain, "".join(map(_kept, heading.lower()))}:
            seen = count.get(kept, 0)
            count[kept] = seen + 1
            yield f"{kept}-{seen}" if seen else kept
        free, at = plain, 0
        while free in used:
            at += 1
            free = f"{plain}-{at}"
        used.add(free)
        yield free


def _kept(char: str) -> str:
    """Return what Ruby's `[^\\p{Word}\\- ]` leaves of a character, a space as `-`."""
    if char in " -":
        return "-"
    kind = unicodedata.category(char)
    enclosed = unicodedata.name(char, "").startswith(
        ("CIRCLED LATIN", "SQUARED LATIN", "NEGATIVE CIRCLED LATIN", "NEGATIVE SQUARED LATIN")
    )
    word = kind in ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc")
    return char if word or (kind == "So" and enclosed) else ""


class Oracle:
    """The judge of one tree: the names on disk, and every page as GitHub shows it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: set[str] = set()
        self.folders: set[str] = {""}
        for folder, names, files in os.walk(root):
            names[:] = [name for name in names if name not in SKIPPED]
            here = os.path.relpath(folder, root).replace(os.sep, "/")
            prefix = "" if here == "." else f"{here}/"
            self.folders |= {prefix + name for name in names}
            self.files |= {prefix + name for name in files}
        self.reading = lru_cache(None)(self._reading)
        self.places = lru_cache(None)(self._places)

    def pages(self) -> list[str]:
        """Return every Markdown file, a link to one aside."""
        real = (name for name in self.files if not (self.root / name).is_symlink())
        return sorted(name for name in real if name.lower().endswith(MARKDOWN))

    def _reading(self, page: str) -> Reading:
        return Reading(render((self.root / page).read_bytes().decode("utf-8-sig", "replace")))

    def _places(self, page: str) -> frozenset[str]:
        read = self.reading(page)
        return frozenset({*read.ids, *slugs(read.headings)})

    def judged(self, page: str) -> dict[str, object]:
        """Return what of a page leads nowhere."""
        files, anchors = [], []
        links = self.reading(page).links
        for link in links:
            said = self.judge(page, link)
            if said:
                (files if said == "file" else anchors).append(unquote(link))
        return {"page": page, "links": len(links), "files": files, "anchors": anchors}

    def judge(self, page: str, link: str) -> str:
        """Return `file` or `anchor` for what is missing, "" for what is there or is not ours."""
        if _SCHEME.match(link):
            return ""
        path, _, fragment = link.partition("#")
        path, _, query = path.partition("?")
        path, fragment = unquote(path), unquote(fragment)
        there = page
        if path:
            base = "" if path.startswith("/") else posixpath.dirname(page)
            there = posixpath.normpath(posixpath.join("/", base, path.lstrip("/"))).lstrip("/")
            above = posixpath.normpath(posixpath.join(base, path.lstrip("/")))
            if _SITE.match(f"{above}/" if above == "../.." else above):
                return ""
            if above.startswith("..") or there not in self.files | self.folders:
                return "file"
        return "anchor" if self._lost(there, fragment, query) else ""

    def _lost(self, there: str, fragment: str, query: str) -> bool:
        name = fragment.partition(":~:")[0].removeprefix("user-content-")
        if name in ("", "top") or "plain=1" in query:
            return False
        if there in self.folders:
            prefix = f"{there}/" if there else ""
            readme = [f for f in self.files if f.lower() == f"{prefix}readme.md".lower()]
            if not readme:
                return True
            there = readme[0]
        if not there.lower().endswith(MARKDOWN):
            return False
        there = os.path.relpath(os.path.realpath(self.root / there), os.path.realpath(self.root))
        return name not in self.places(there.replace(os.sep, "/"))


class Worker:
    """A process that reads pages with cmark-gfm, replaced by a new one before it grows."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0

    def read(self, page: bytes) -> tuple[Counter[str], set[str]]:
        """Return the decoded targets of a page, and the fragments that lead into it."""
        if self._process is None or self._read > _ENOUGH:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.gfm_oracle", "-"], cwd=REPOSITORY,
                env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        self._read += len(page) + 1000
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(base64.b64encode(page) + b"\n")
        self._process.stdin.flush()
        links, anchors = json.loads(self._process.stdout.readline())
        return Counter(unquote(link) for link in links), set(anchors)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate(timeout=60)
        self._process, self._read = None, 0


def answer() -> None:
    """Answer every page that comes in, a line of base64, with its links and fragments."""
    for line in sys.stdin.buffer:
        read = Reading(render(base64.b64decode(line).decode("utf-8-sig", "replace")))
        said = [read.links, sorted({*read.ids, *slugs(read.headings)})]
        print(json.dumps(said), flush=True)


def main() -> None:
    """Judge the pages that are named on the command line, after the tree that they are in."""
    if sys.argv[1] == "-":
        return answer()
    oracle = Oracle(Path(sys.argv[1]))
    for page in sys.argv[2:] or oracle.pages():
        sys.stdout.write(json.dumps(oracle.judged(page)) + "\n")


if __name__ == "__main__":
    main()
