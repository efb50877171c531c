"""Whether an automation is still as it was made, told by what a server gives back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deployments import automations

if TYPE_CHECKING:
    from prefect.events import AutomationCore


def given_back(made: AutomationCore, order: Any) -> AutomationCore:
    """Return what a server tells of it: sets come as lists, in whatever order."""
    from prefect.events import AutomationCore

    told = json.loads(made.model_dump_json())
    told["trigger"]["after"] = order(told["trigger"]["after"])
    return AutomationCore.model_validate(told)


@pytest.mark.parametrize("order", [sorted, lambda names: sorted(names, reverse=True)])
def test_the_order_of_a_set_is_no_change(order) -> None:
    silent = automations.silent_runs()
    silent.trigger.after = {f"prefect.flow-run.{n}" for n in range(200)}  # enough to collide
    assert automations._same(given_back(silent, order), silent)


def test_a_name_less_in_a_set_is_a_change() -> None:
    silent = automations.silent_runs()
    assert not automations._same(given_back(silent, lambda names: names[1:]), silent)
