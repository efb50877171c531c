"""How fast log lines get their family, and how rightly, against drain3 with its defaults.

    python -m benchmarks.rules [FILE ...]

The peer is installed by hand, because it pins an old `cachetools`: pip install --no-deps drain3.

Without files the made-up logs of the tests are read, which have labels; each is read from cold.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

from autopack.rules import masking
from autopack.rules.lines import family_ids, templates
from benchmarks.measure import Row, interleaved, show
from tests.support.labelled_logs import STYLES, grouping_accuracy, make

ROUNDS = 5


def drained(lines: Sequence[str]) -> list[str]:
    """Return the clusters that drain3 with its defaults finds."""
    from drain3 import TemplateMiner
    from drain3.template_miner_config import TemplateMinerConfig

    miner = TemplateMiner(config=TemplateMinerConfig())
    return [str(miner.add_log_message(line)["cluster_id"]) for line in lines]


def each(logs: list[list[str]], work: Callable[[Sequence[str]], list[str]]) -> Callable[[], object]:
    """Return what runs one method over every log, from cold."""

    def run() -> None:
        for lines in logs:
            masking.forget()
            work(lines)

    return run


def main(names: Sequence[str]) -> None:
    """Print the figures."""
    logging.disable(logging.CRITICAL)
    made = {style: make(style) for style in STYLES}
    logs = [Path(name).read_text("utf-8", "replace").splitlines() for name in names]
    logs = logs or [[line.text for line in lines] for lines in made.values()]
    base, ours, stateless = interleaved(
        ROUNDS, each(logs, drained), each(logs, family_ids), each(logs, templates)
    )
    count = sum(map(len, logs))
    notes: dict[str, object] = {"lines": count}
    if not names:
        for name, work in (("families", family_ids), ("stateless", templates), ("drain3", drained)):
            found = [
                grouping_accuracy([line.label for line in lines], work([x.text for x in lines]))
                for lines in made.values()
            ]
            notes[f"grouping accuracy, {name}"] = round(mean(found), 4)
    for name, seconds in (("families", ours), ("stateless", stateless), ("drain3", base)):
        notes[f"lines/s, {name}"] = round(count / seconds)
    rows = [
        Row("families of all lines", ours, "drain3 defaults", base),
        Row("templates alone (stateless)", stateless, "drain3 defaults", base),
    ]
    show(rows, notes)


if __name__ == "__main__":
    main(sys.argv[1:])
