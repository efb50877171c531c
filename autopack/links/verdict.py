"""What is said about one link: its category, why, and where it could lead instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autopack.links.model import Link
from autopack.links.target import without_secrets
from autopack.report import Finding, Severity

Category = Literal[
    "missing_file", "missing_anchor", "code_ref", "runtime_endpoint", "historical_ref",
    "site_absolute", "external_url", "unknown_ref", "redirected",
]  # fmt: skip
Sub = Literal["", "wrong_base", "line_suffix", "case_mismatch"]
Layer = Literal["certain", "history", "fuzzy"]
LAYERS: tuple[Layer, ...] = ("certain", "history", "fuzzy")
"""Where a candidate comes from, the surest first; to mend by one is to trust those before it."""

SUB_WORDS: dict[Sub, str] = {
    "wrong_base": "it exists from the repository's root only",
    "line_suffix": "a line is named by #L12, not :12",
    "case_mismatch": "upper and lower case differ",
}
STRICT = frozenset({"missing_file", "missing_anchor", "code_ref"})
"""Categories that make `--strict` fail; what leads out of the repository never does."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that a link may have meant: its path from the root, and the target to write."""

    path: str
    layer: Layer
    why: str
    target: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the candidate for programs."""
        return {"path": self.path, "layer": self.layer, "why": self.why, "target": self.target}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A link that is not simply fine, or a path in code; `line` counts from 1.

    `resolved` is the path from the root that the target means, empty where it means none.
    """

    page: str
    line: int | None
    target: str
    category: Category
    message: str
    sub: Sub = ""
    candidates: tuple[Candidate, ...] = ()
    resolved: str = ""
    link: Link | None = None

    @property
    def certain(self) -> Candidate | None:
        """The one candidate that takes no guess, if there is one."""
        if not self.candidates:
            return None
        return next((c for c in self.candidates if c.layer == "certain"), None)

    def meant(self, trusted: Layer) -> Candidate | None:
        """Return the place to write when a layer is trusted: the one of the surest layer.

        What merely looks alike is only taken where nothing else does.
        """
        if not self.candidates:
            return None
        for layer in LAYERS[: LAYERS.index(trusted) + 1]:
            found = [c for c in self.candidates if c.layer == layer and c.target]
            if len(found) == 1:
                return found[0]
        return None

    def finding(self, severity: Severity, fix: str = "") -> Finding:
        """Return the finding; the category is its code."""
        return Finding(self.category, severity, self.page, self.line, self.message, fix)

    def as_json(self) -> dict[str, object]:
        """Return the verdict for programs; secrets in an address are hidden."""
        target = without_secrets(self.target) if "//" in self.target else self.target
        return {
            "path": self.page, "line": self.line, "target": target,
            "category": self.category, "kind": self.sub, "message": self.message,
            "candidates": [candidate.as_json() for candidate in self.candidates],
        }  # fmt: skip
