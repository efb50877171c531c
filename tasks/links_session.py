"""One check of links at work: what was asked for, what was read and what would be written."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from autopack.deadline import Deadline
from autopack.globs import anchored
from autopack.links.baseline import fingerprints
from autopack.links.history import History
from autopack.links.ignore import NAVIGATION
from autopack.links.model import Page
from autopack.links.resolve import Judge
from autopack.links.tree import Tree, is_markdown, tree_of
from autopack.links.verdict import Layer, Verdict
from autopack.report import Finding
from autopack.settings import workspace_root
from tasks.page_writer import PageWriter

if TYPE_CHECKING:
    from autopack.links.mend import Mended
    from tasks.links_library import Library

Mode = Literal["nav", "deep"]


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    mode: Mode
    include: tuple[str, ...]
    anchors: bool
    fix: Layer | None
    strict: bool

    @property
    def enforced(self) -> bool:
        """Whether errors make the exit code 1: a deep scan only reports."""
        return self.mode == "nav" or self.strict

    @property
    def asks_git(self) -> bool:
        """Whether git's history is read: it takes seconds, which a navigation check has not."""
        return self.mode == "deep" or self.fix is not None

    def command(self, layer: Layer = "certain") -> str:
        """Return the command that mends what a layer knows."""
        words = ["python -m flows.doc_links", *(["--deep"] if self.mode == "deep" else [])]
        words += [shlex.join(["--include", *self.include])] if self.include else []
        return " ".join([*words, f"--fix {layer} --execute"])

    def pages(self, tree: Tree) -> list[str]:
        """Return the pages to check, in order; a page with two names is checked once."""
        wanted = [anchored(glob) for glob in self.include]
        pages = {tree.real(name) for name in NAVIGATION if name in tree.files} - {""}
        for name in tree.files - tree.links.keys():
            if is_markdown(name) and (
                (self.mode == "deep" and not name.startswith("archive/"))
                or any(glob.fullmatch(name) for glob in wanted)
            ):
                pages.add(name)
        return sorted(pages)


class Checking(PageWriter):
    """The state that the steps of one check share; a plain class, because Prefect walks others."""

    def __init__(self, workspace: str, wish: Wish, deadline: Deadline) -> None:
        self.root = workspace_root(workspace)
        self.wish = wish
        self.deadline = deadline
        self.today = datetime.now(UTC).date()
        self.tree = tree_of(())
        self.data: dict[str, bytes] = {}
        self.sources: Mapping[str, Page] = {}
        self.pages: Mapping[str, Page] = {}
        self.stubs: dict[str, str] = {}
        self.library: Library | None = None
        self.verdicts: Sequence[Verdict] = ()
        self.web = 0
        self.about_rules: Sequence[Finding] = ()
        self.ignored = 0
        self.history: History | None = None
        self.known: frozenset[str] = frozenset()
        self.mended: dict[str, Mended] = {}

    def bytes_of(self, name: str) -> bytes:
        """Return the bytes of a page that was read.

        Raises:
            Refused: It holds other bytes by now.
        """
        if name not in self.data:
            assert self.library
            self.data[name] = self.library.bytes_of(name)
        return self.data[name]

    def marked(self) -> list[tuple[Verdict, str, bool]]:
        """Return every verdict with its fingerprint, and whether it was known before."""
        verdicts = self.everything()
        names = list(fingerprints(verdicts))
        return [(v, f, f in self.known) for v, f in zip(verdicts, names, strict=True)]

    def everything(self) -> Sequence[Verdict]:
        """Return every verdict, those of `web` links too that nobody has looked at yet."""
        if not self.web:
            return self.verdicts
        assert self.library
        before = len(self.missing_pages)
        found = self.library.with_web(self.verdicts[before:])
        return (*self.verdicts[:before], *found)

    def remembered(self) -> list[bool]:
        """Return for every verdict whether it was known before."""
        if not self.known:
            return [False] * len(self.verdicts)
        return [known for _, _, known in self.marked()]

    @property
    def judge(self) -> Judge:
        """What links are judged against."""
        return Judge(self.tree, self.pages, self.stubs)

    @property
    def missing_pages(self) -> list[str]:
        """The navigation pages that are not there, or are links to nothing here."""
        files, real = self.tree.files, self.tree.real
        return [name for name in NAVIGATION if name not in files or not real(name)]
