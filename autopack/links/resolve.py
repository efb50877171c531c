"""Judge links against a tree: what GitHub's readers get when they follow them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from autopack.links.anchors import is_lines, leads_into
from autopack.links.candidates import alike, alike_anchors, certain, write
from autopack.links.model import Link, Page
from autopack.links.target import (
    Target,
    Where,
    join,
    take_apart,
    without_lines,
    without_secrets,
)  # fmt: skip
from autopack.links.tree import SKIPPED, Tree, is_markdown
from autopack.links.verdict import SUB_WORDS, Candidate, Category, Verdict

BUILD_HISTORY = "docs/BUILD_HISTORY.md"
"""Its links to source code record what was; they are not navigation."""
_SOURCE = (
    ".py", ".pyi", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".sh", ".bash", ".ps1", ".bat",
    ".sql", ".rs", ".go", ".java", ".c", ".h", ".cc", ".cpp", ".hpp", ".rb", ".php", ".cs",
    ".swift", ".kt", ".css", ".scss", ".html", ".vue", ".ipynb",
)  # fmt: skip
_SOURCE_FOLDERS = frozenset({"src", "scripts", "tests", "lib", "backend", "frontend"})
_ROUTES = frozenset({
    "", "issues", "pulls", "pull", "actions", "wiki", "releases", "discussions", "projects", "tree",
    "blob", "commit", "commits", "compare", "tags", "labels", "milestones", "security", "graphs",
    "network", "stargazers", "raw", "edit", "new",
})  # fmt: skip
"""What follows `/OWNER/REPOSITORY/` on GitHub."""


OUTSIDE: Mapping[Where, tuple[Category, str]] = {
    "web": ("external_url", "leads out of the repository; not requested"),
    "local": ("runtime_endpoint", "answers only while the program runs"),
}


@dataclass(frozen=True)
class Judge:
    """What links are judged against: the tree, and the pages whose fragments are known.

    `stubs` gives, for each redirect stub that links lead to, the living page behind it; "" where
    there is none.
    """

    tree: Tree
    pages: Mapping[str, Page]
    stubs: Mapping[str, str] = field(default_factory=dict)

    def verdicts(self, page: Page) -> Iterator[Verdict]:
        """Yield what is to be said about a page's links, in order; a link that works is silent."""
        for link in page.links:
            said = self.judge(page.path, link)
            if said is not None:
                yield said

    def judge(self, page: str, link: Link) -> Verdict | None:
        """Return what is to be said about one link, None if it works."""
        target = take_apart(link.target)
        if target.where in OUTSIDE:
            return outside(page, link, target.where)
        found = page if target.where == "here" else lead(self.tree, page, target.path)
        if found is None:
            return self._broken(page, link, target)
        said = self._fragment(page, link, target, found)
        stub = rendered(self.tree, found) if target.where == "path" else None
        if stub is None or stub not in self.stubs:
            return said
        return self._redirected(page, link, target, stub, said)

    def _redirected(
        self, page: str, link: Link, target: Target, stub: str, said: Verdict | None
    ) -> Verdict:
        """Return what to say about a link to a stub: it works, and there is a shorter way."""
        behind = self._behind(page, target, stub)
        direct = (behind,) if behind else ()
        if said is not None:
            return replace(said, candidates=direct or said.candidates)
        there = self.stubs[stub] or "a page that is gone"
        words = f"'{link.raw}': {stub} only leads to {there}"
        return Verdict(page, link.line, link.raw, "redirected", words, "", direct, stub, link)

    def _behind(self, page: str, target: Target, stub: str | None) -> Candidate | None:
        """Return the page behind a stub, if there is one that has what a target names."""
        there = self.stubs.get(stub or "")
        if not there or target.plain or not self._has(there, target.fragment):
            return None
        return Candidate(there, "certain", f"{stub} only leads there", write(page, there, target))

    def _has(self, path: str, fragment: str | None) -> bool:
        """Return whether a fragment leads into a file, where that can be told."""
        there = self.pages.get(path)
        return not fragment or (there is not None and leads_into(there, fragment))

    def _fragment(self, page: str, link: Link, target: Target, found: str) -> Verdict | None:
        """Return what is wrong with a fragment; only of Markdown are the places known."""
        if not target.fragment or (target.plain and is_lines(target.fragment)):
            return None
        file = rendered(self.tree, found)
        there = self.pages.get(file) if file else None
        if there is None:
            if found not in self.tree.folders or self.tree.readme(found) is not None:
                return None
            return _said(page, link, "missing_anchor", f"{found or '.'}/ has no README", found)
        if leads_into(there, target.fragment):
            return None
        like = tuple(alike_anchors(there.path, there.anchors, target.fragment))
        words = f"no heading or id '{target.fragment}' in {there.path}"
        if is_lines(target.fragment):
            words = f"lines of {there.path} are in its plain view: ?plain=1#{target.fragment}"
        return Verdict(
            page, link.line, link.raw, "missing_anchor", f"'{link.raw}': {words}", "",
            like, there.path, link,
        )  # fmt: skip

    def _broken(self, page: str, link: Link, target: Target) -> Verdict:
        resolved, out = join(page, target.path)
        if _on_the_site(resolved, out):
            return _said(page, link, "external_url", "a page of the site that shows the repository")
        meant = certain(self.tree, page, target)
        if meant is None:
            return self._lost(page, link, target, resolved, out)
        sub, candidate = meant
        stub = rendered(self.tree, candidate.path)
        candidate = (self._behind(page, target, stub) if not target.lines else None) or candidate
        category: Category = "missing_file"
        if page == BUILD_HISTORY and is_source(candidate.path):
            category = "code_ref"
        words = f"'{link.raw}' leads nowhere: {SUB_WORDS[sub]}"
        return Verdict(
            page, link.line, link.raw, category, words, sub, (candidate,), resolved, link
        )

    def _lost(
        self, page: str, link: Link, target: Target, resolved: str, out: int
    ) -> Verdict:  # fmt: skip
        """Return what to say about a path that nothing certain is known of."""
        category, words = self._kind_of_loss(page, target, resolved)
        where = "leads out of the repository" if out else f"{resolved or '.'} does not exist"
        name = without_lines(resolved) if category != _SITE else ""
        like = tuple(alike(self.tree, name, page, target))
        return Verdict(
            page, link.line, link.raw, category, f"'{link.raw}': {words or where}", "", like,
            "" if out else resolved, link,
        )  # fmt: skip

    def _kind_of_loss(self, page: str, target: Target, resolved: str) -> tuple[Category, str]:
        path = target.path
        first = resolved.partition("/")[0]
        if path == "/api" or path.startswith("/api/"):
            return "runtime_endpoint", "a route of the program, not a file"
        if path.startswith("/") and first not in self.tree and not is_markdown(path):
            return _SITE, f"nothing is called {first} here; it may be an address of a site"
        if page == BUILD_HISTORY and is_source(without_lines(path)):
            return "code_ref", ""
        return "missing_file", ""


_SITE: Category = "site_absolute"


def outside(page: str, link: Link, where: Where) -> Verdict:
    """Return what is to be said about a link that leads out of the repository."""
    category, words = OUTSIDE[where]
    shown = f"'{without_secrets(link.raw)}': {words}"
    return Verdict(page, link.line, link.raw, category, shown, link=link)


def lead(tree: Tree, page: str, path: str) -> str | None:
    """Return the path from the root that a relative path of a page leads to, if it is there."""
    resolved, out = join(page, path)
    return resolved if not out and resolved in tree else None


def rendered(tree: Tree, path: str) -> str | None:
    """Return the Markdown file that GitHub renders for a path: itself, or a folder's README."""
    file = tree.readme(path) if path in tree.folders else path
    return tree.real(file) or None if file is not None and is_markdown(file) else None


def is_source(path: str) -> bool:
    """Return whether a path is source code: by its ending, or a folder of code."""
    if path.lower().endswith(_SOURCE):
        return True
    names = [name for name in path.split("/") if name not in ("", ".", "..")]
    no_ending = "." not in names[-1] if names else False
    return no_ending and names[0] in _SOURCE_FOLDERS


def fragment_files(tree: Tree, page: Page) -> set[str]:
    """Return the Markdown files whose fragments a page's links name."""
    found = set()
    for link in page.links:
        target = take_apart(link.target)
        if target.where == "path" and target.fragment:
            there = lead(tree, page.path, target.path)
            file = rendered(tree, there) if there is not None else None
            found |= {file} if file else set()
    return found


def linked_pages(tree: Tree, page: Page) -> set[str]:
    """Return the Markdown files that a page's links lead to, or surely mean."""
    found = set()
    for link in page.links:
        target = take_apart(link.target)
        there = lead(tree, page.path, target.path) if target.where == "path" else None
        if there is None and target.where == "path":
            meant = certain(tree, page.path, target)
            there = meant[1].path if meant else None
        file = rendered(tree, there) if there is not None else None
        found |= {file} if file in tree.files else set()
    return found


def hidden_paths(page: Page) -> set[str]:
    """Return what a page's links may mean in folders that no tree has."""
    found = set()
    for link in page.links:
        target = take_apart(link.target)
        if target.where == "path":
            path = without_lines(target.path)
            found |= {place for place, out in (join(page.path, path), join("", path)) if not out}
    return {place for place in found if not SKIPPED.isdisjoint(place.split("/"))}


def _on_the_site(resolved: str, out: int) -> bool:
    """Return whether a path that climbs out leads to a page of GitHub's, as far as can be told.

    A page's address is `/OWNER/REPOSITORY/blob/BRANCH/PATH`: from the root `../../issues` is the
    repository's, `../../../other/issues` another's of the same owner. What has no such page's name
    in it is a checkout beside this one, which no reader has.
    """
    names = resolved.split("/")
    if out == 2:
        return names[0] in _ROUTES
    return out in (3, 4) and len(names) > out - 2 and names[out - 2] in _ROUTES


def _said(page: str, link: Link, category: Category, words: str, resolved: str = "") -> Verdict:
    return Verdict(
        page, link.line, link.raw, category, f"'{link.raw}': {words}", "", (), resolved, link
    )
