# SPDX-License-Identifier: Apache-2.0
"""Splits what was executed by how the pads met the object, to tell why physics and labels differ."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from anygrasp_sim.label_check.draw import NO_FRICTION
from anygrasp_sim.label_check.experiment import LabelTrial
from anygrasp_sim.label_check.plot import counting_error
from anygrasp_sim.label_check.touch import TouchKind
from anygrasp_training.labels import LabelConfig

__all__ = ["diagnosis_table"]

_Rule = Callable[[LabelTrial], bool]


def diagnosis_table(trials: Sequence[LabelTrial]) -> str:
    """Return a Markdown table, a row for each class of each way to split the trials; empty ones left out."""
    rows = ["| split by | class | cells | held | success | 95 % interval |", "|---|---|---|---|---|---|"]
    for name, classes in _splits().items():
        for class_name, rule in classes.items():
            results = [trial.result.held for trial in trials if rule(trial)]
            if results:
                held, count = sum(results), len(results)
                lower, upper = counting_error(held, count)
                rows.append(
                    f"| {name} | {class_name} | {count} | {held} | {held / count:.0%} "
                    f"| {lower:.0%} to {upper:.0%} |"
                )
    return "\n".join(rows)


def _splits() -> dict[str, dict[str, _Rule]]:
    limit = LabelConfig().max_friction
    return {
        "label": {
            "a friction": lambda t: t.bin != NO_FRICTION,
            f"none: over {limit:g} from the gripper's opening too": (
                lambda t: t.bin == NO_FRICTION and t.friction > limit
            ),
            f"none: no room for fingers 100 mm apart, yet at most {limit:g} from 85 mm": (
                lambda t: t.bin == NO_FRICTION and t.friction <= limit
            ),
        },
        "first touch of the worse pad": {kind.value: _is_kind(kind) for kind in TouchKind},
        "met behind the first 9 mm of a pad, earlier by": _ranges(
            lambda t: 1000 * t.touch.behind_m, (0.0, 0.5, 3.0, np.inf), "mm"
        ),
        "share of the pad within 1 mm": _ranges(
            lambda t: 100 * t.touch.area, (0.0, 2.0, 5.0, 10.0, np.inf), "%"
        ),
        "spread of the normals there": _ranges(
            lambda t: float(np.degrees(t.touch.spread_rad)), (0.0, 2.0, 10.0, 30.0, np.inf), "deg"
        ),
        "turned while the fingers closed": _ranges(
            lambda t: float(np.degrees(t.result.rolled_rad)), (0.0, 5.0, 10.0, 20.0, np.inf), "deg"
        ),
    }


def _is_kind(kind: TouchKind) -> _Rule:
    return lambda trial: trial.touch.kind is kind


def _ranges(value: Callable[[LabelTrial], float], edges: Sequence[float], unit: str) -> dict[str, _Rule]:
    def within(lower: float, upper: float) -> _Rule:
        return lambda trial: lower <= value(trial) < upper

    return {
        f"{a:g} {unit} or more" if np.isinf(b) else f"{a:g} to {b:g} {unit}": within(a, b)
        for a, b in itertools.pairwise(edges)
    }
