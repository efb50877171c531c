"""Points to write, and an embedder that can be computed by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5

from autopack.io.points import Point


def point(n: int, text: str | None = None, ledger: str = "BUILD_HISTORY") -> Point:
    words = text or f"entry number {n} about topic{n}"
    digest = hashlib.sha256(words.encode()).hexdigest()
    return Point(str(uuid5(NAMESPACE_URL, str(n))), digest, words, {"n": n, "ledger": ledger})


class Letters:
    """A dense embedder that can be computed by hand: how often each vowel occurs."""

    name, dim = "letters", 5

    def encode(self, texts: Sequence[str]) -> list[list[float]]:
        return [[text.count(vowel) + 0.01 for vowel in "aeiou"] for text in texts]
