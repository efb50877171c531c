"""Which pages that moved get a stub, which stubs change, and which are of no more use."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from autopack.links.anchors import is_lines, leads_into, plain_name
from autopack.links.history import History
from autopack.links.ignore import NAVIGATION
from autopack.links.model import Page
from autopack.links.promises import FILE, Promise
from autopack.links.stubs import Stub
from autopack.links.target import join, take_apart
from autopack.links.tree import SKIPPED, Tree, is_markdown
from autopack.report import Finding

LINKS = "python -m flows.doc_links --deep"


@dataclass(frozen=True, slots=True)
class Reference:
    """A link to a page: where it stands, and the decoded fragment that it names, if any."""

    page: str
    line: int
    fragment: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """A stub that shall stand: what it shall say, what it says now, and what asks for it."""

    stub: Stub
    now: Stub | None
    references: tuple[Reference, ...]
    why: str


@dataclass(frozen=True)
class Decided:
    """The stubs that shall stand, those of no more use, and what there is to say."""

    redirects: tuple[Redirect, ...] = ()
    obsolete: tuple[Stub, ...] = ()
    findings: tuple[Finding, ...] = ()


def references(pages: Iterable[Page], tree: Tree) -> dict[str, list[Reference]]:
    """Return the links to Markdown pages, by the path that they mean; it need not be there.

    A folder stands for its README. Images show nothing of a stub, and what a stub itself links is
    nobody's wish.
    """
    found: dict[str, list[Reference]] = defaultdict(list)
    for page in pages:
        for link in page.links if not page.redirect else ():
            target = take_apart(link.target)
            path, out = join(page.path, target.path)
            path = tree.readme(path) or path if path in tree.folders else path
            if target.where != "path" or out or link.kind == "image" or not _can_hold(path):
                continue
            name = plain_name(target.fragment or "")
            lines = target.plain and is_lines(name)
            found[path].append(Reference(page.path, link.line, "" if lines else name))
    return found


def _can_hold(path: str) -> bool:
    """Return whether a stub of this name would be read: a Markdown page in no skipped folder."""
    return is_markdown(path) and SKIPPED.isdisjoint(path.split("/"))


@dataclass(frozen=True)
class Ground:
    """What is known when stubs are decided on; paths count from the root.

    `stubs` are those that stand, `reserved` paths that no stub may take, `least` how many
    references a page that moved needs.
    """

    tree: Tree
    history: History
    references: Mapping[str, Sequence[Reference]]
    stubs: Mapping[str, Stub] = field(default_factory=dict)
    promises: Mapping[str, Promise] = field(default_factory=dict)
    reserved: Collection[str] = ()
    least: int = 3

    def decide(self) -> Decided:
        """Return what shall stand, in the order of paths."""
        made: list[Redirect] = []
        obsolete: list[Stub] = []
        findings: list[Finding] = []
        for path in sorted({*self.references, *self.promises, *self.stubs}):
            said = self._about(path)
            if isinstance(said, Redirect):
                made.append(said)
            elif isinstance(said, Stub):
                obsolete.append(said)
            elif said is not None:
                findings.append(said)
        return Decided(*_apart(made, obsolete, findings))

    def final(self, path: str, start: str) -> tuple[str, str]:
        """Return the living page at the end of stubs and renames, or "" and why there is none."""
        seen, at = {path}, start
        while at not in seen:
            seen.add(at)
            if at in self.stubs:
                at = self.stubs[at].target
            elif at in self.tree.files:
                return at, ""
            elif now := self.history.place(at, self.tree):
                at = now[0]
            else:
                return "", f"{at} is gone, and git knows no newer place"
        return "", f"it leads in a circle by way of {at}"

    def _about(self, path: str) -> Redirect | Stub | Finding | None:
        if stub := self.stubs.get(path):
            return self._kept(stub)
        if path in self.tree.files:
            return None
        return self._made(path)

    def _kept(self, stub: Stub) -> Redirect | Stub | Finding:
        """Return what becomes of a stub that stands."""
        if not stub.own:
            words = "this stub was changed since it was written, so it is left alone"
            fix = f"git checkout -- {stub.path}, or take its autopack-redirect line out to keep it"
            return Finding("redirect_edited", "warning", stub.path, None, words, fix)
        links, promise = self.references.get(stub.path, ()), self.promises.get(stub.path)
        if not links and not promise and not stub.promised:
            return stub
        newer = self.history.moved.get(stub.path, ("",))[0]
        starts = (promise.to if promise else "", stub.target, newer)
        tried = [self.final(stub.path, start) for start in starts if start]
        target, why = next((found for found in tried if found[0]), tried[0])
        if not target:
            words = f"this stub leads nowhere: {why}"
            fix = f"remove it, or name a new place: promises of {FILE}, with to:"
            return Finding("redirect_broken", "error", stub.path, None, words, fix)
        return self._redirect(stub.path, target, stub.moved_in, stub)

    def _made(self, path: str) -> Redirect | Finding | None:
        """Return what becomes of a path that nothing of use stands at."""
        promise, links = self.promises.get(path), self.references.get(path, ())
        start = promise.to if promise and promise.to else self.history.moved.get(path, ("",))[0]
        target, why = self.final(path, start) if start else ("", self._unknown(path))
        if not target:
            return _unkept(path, why) if promise else None
        commit = self.history.gone(path) or ""
        if words := self._refusal(path):
            return _refused(path, links, words)
        if promise is None and len(links) < self.least:
            return _too_few(path, target, commit, links)
        return self._redirect(path, target, commit, None)

    def _unknown(self, path: str) -> str:
        commit = self.history.gone(path)
        return f"it was deleted in {commit[:10]}" if commit else "git knows no such page"

    def _refusal(self, path: str) -> str:
        """Return why no stub may stand at a path, "" where one may."""
        if not _can_hold(path):
            return "a stub is a Markdown page in a folder that is read"
        if not path.isprintable() or "\\" in path:
            return "its name holds characters that no link can carry everywhere"
        if _folded(path) in map(_folded, (*self.reserved, *NAVIGATION)):
            return "a page with content is expected there"
        return self._collision(path)

    def _collision(self, path: str) -> str:
        """Return what a new file at a path would collide with, on this disk or another, or ""."""
        if path in self.tree.folders:
            return "a folder of this name stands there"
        parts = path.split("/")
        for n in range(1, len(parts) + 1):
            place = "/".join(parts[:n])
            if n < len(parts) and place in self.tree.files:
                return f"{place} is a file, not a folder"
            alike = self._names.get(_folded(place))
            if alike is not None and place not in self.tree:
                return f"{alike} has the same name but for case, and many disks hold only one"
        return ""

    @cached_property
    def _names(self) -> dict[str, str]:
        return {_folded(path): path for path in sorted(self.tree.files | self.tree.folders)}

    def _redirect(self, path: str, target: str, commit: str, now: Stub | None) -> Redirect:
        links, promise = tuple(self.references.get(path, ())), self.promises.get(path)
        names = {link.fragment for link in links} | set(promise.fragments if promise else ())
        names |= now.fragments if now else set()
        promised = bool(promise and promise.kept_in_stub) or bool(now and now.promised)
        kept = frozenset(name for name in names if name and name.isprintable())
        stub = Stub(path, target, kept, frozenset(), commit, promised)
        return Redirect(stub, now, links, "promised" if promise or promised else "linked")


def with_anchors(redirect: Redirect, page: Page | None) -> tuple[Stub, list[Finding]]:
    """Return the stub whose fragments lead into the new page, and those that cannot."""
    stub = redirect.stub
    there = frozenset(n for n in stub.fragments if page is not None and leads_into(page, n))
    done = Stub(stub.path, stub.target, stub.fragments, there, stub.moved_in, stub.promised)
    by_name = {link.fragment: link for link in reversed(redirect.references)}
    lost = [by_name[name] for name in sorted(stub.fragments - there) if name in by_name]
    return done, [
        Finding(
            "redirect_fragment", "warning", link.page, link.line,
            f"{stub.target} has no '#{link.fragment}'; {stub.path} leads to the page's top",
            f"add the heading or an id to {stub.target}, or mend the link",
        )
        for link in lost
    ]  # fmt: skip


def _apart(
    made: list[Redirect], obsolete: list[Stub], findings: list[Finding]
) -> tuple[tuple[Redirect, ...], tuple[Stub, ...], tuple[Finding, ...]]:
    """Take out what a disk without upper and lower case would put into one file."""
    kept: dict[str, Redirect] = {}
    for one in made:
        other = kept.setdefault(_folded(one.stub.path), one)
        if other is not one:
            words = f"{other.stub.path} has the same name but for case, and gets a stub already"
            findings.append(_refused(one.stub.path, one.references, words))
    return tuple(kept.values()), tuple(obsolete), tuple(findings)


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def rewrite_command(links: Sequence[Reference]) -> str:
    """Return the command that mends these links themselves."""
    old = any(link.page.startswith("archive/") for link in links)
    include = " --include 'archive/**'" if old else ""
    return f"{LINKS}{include} --fix history --execute"


def _unkept(path: str, why: str) -> Finding:
    words = f"{path} is promised, and where it leads is not known: {why}"
    fix = f"name its new place in {FILE}, with to:"
    return Finding("redirect_unknown", "error", path, None, words, fix)


def _refused(path: str, links: Sequence[Reference], words: str) -> Finding:
    fix = f"rewrite the links: {rewrite_command(links)}" if links else ""
    return Finding("redirect_refused", "warning", path, None, f"no stub: {words}", fix)


def _too_few(path: str, target: str, commit: str, links: Sequence[Reference]) -> Finding:
    n = len(links)
    words = f"{path} moved to {target} in {commit[:10]}; {n} link{'s' * (n != 1)} to it: too few"
    first = links[0]
    return Finding(
        "redirect_not_worth", "info", first.page, first.line, f"{words} for a stub",
        f"rewrite the links: {rewrite_command(links)}",
    )  # fmt: skip
