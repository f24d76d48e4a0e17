# SPDX-License-Identifier: Apache-2.0
"""Tables and plots of the two experiments, as they go to docs/results."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import fisher_exact, spearmanr

from anygrasp_sim.label_check.bar import BAR_MASS_KG, BAR_MAX_FRICTION, BAR_SIZE_M, StableTrial
from anygrasp_sim.label_check.diagnosis import diagnosis_table
from anygrasp_sim.label_check.draw import FRICTION_BINS
from anygrasp_sim.label_check.experiment import LabelTrial, LabelTrials
from anygrasp_sim.label_check.plot import Column, counting_error, write_columns
from anygrasp_sim.label_check.trial_config import TrialConfig

__all__ = ["MUST_HOLD_BELOW", "MUST_SLIP_FROM", "write_label_report", "write_stable_report"]

MUST_HOLD_BELOW, MUST_SLIP_FROM = 0.4, 0.9  # friction coefficients
_RISE = 0.05  # chance below which a rise from bin to bin is none
_SLIPPED_RAD, _SLIPPED_M = np.radians(5.0), 0.005


def write_label_report(out: Path, outcome: LabelTrials, config: TrialConfig, origin: str) -> str:
    """Write label_physics.md and .png and return the text."""
    columns, rows, tallies = [], [], []
    for bin_ in FRICTION_BINS:
        held, count = _held([trial for trial in outcome.trials if trial.bin == bin_])
        tallies.append((held, count))
        lower, upper = counting_error(held, count)
        rows.append(f"| {bin_.name} | {count} | {held} | {held / count:.1%} | {lower:.1%} to {upper:.1%} |")
        note = f"{held} of {count}"
        columns.append(Column(bin_.name, note, 100 * held / count, 100 * lower, 100 * upper))
    good = [trial for trial in outcome.trials if trial.bin.upper <= MUST_HOLD_BELOW]
    bad = [trial for trial in outcome.trials if trial.bin.lower >= MUST_SLIP_FROM]
    shares = [column.value for column in columns]
    rises = [p for p in itertools.starmap(_chance_of_rise, itertools.pairwise(tallies)) if p < _RISE]
    strictly = all(a >= b for a, b in itertools.pairwise(shares))
    dropped = Counter(trial.family for trial in good if not trial.result.held)
    tilt_deg = np.degrees(config.max_tilt_rad)
    text = f"""# Grasp labels in physics

{len(outcome.trials)} label cells of {outcome.object_count} objects of all families, executed in MuJoCo
with a floating 2F-85: approach, close, release, lift {config.lift_m:g} m under gravity tilted by up to
{tilt_deg:.0f} deg, hold {config.hold_s:g} s, shake {config.shake_s:g} s. Success: still held.

| friction by the label | cells | held | success | 95 % interval |
|---|---|---|---|---|
{chr(10).join(rows)}

| must hold | measured |
|---|---|
| at least 90 % of the cells below {MUST_HOLD_BELOW} | {_share(good)} |
| at most 40 % of the cells from {MUST_SLIP_FROM}, or with none | {_share(bad)} |
| success falls monotonically: no bin above the one before by more than chance | {"no" if rises else "yes"} |

"More than chance": Fisher's exact test, one-sided, below {_RISE:g} for a pair of neighbours. As measured,
without allowing for chance, every bin holds at most as much as the one before: {"yes" if strictly else "no"}.

![success by friction](label_physics.png)

## Set-up

- **Friction** of all contacts is {config.friction:g}, between the two classes: with much more the second
  would hold by right, with less the first would not. Pads resist turning as a flat 22 x 9 mm patch does.
- **"none"** are cells without a grasp at any friction that is labelled (1.2), though both fingers touch and
  the gripper is free. Cells with nothing between the fingertips are none too and not drawn: most would fall
  for sure, but where the far ends of the pads meet the object squarely, 66 % of 113 held in a pilot.
- The 2F-85 is bulkier than the labels' gripper: cells where it would hit the object are not drawn
  ({outcome.fitting_share:.0%} of those looked at are free). The fingertips' swing is compensated.
- **Support.** Until it is released the object is held fast, as labels suppose ({config.support_n_s_m:g} N
  s/m, {config.support_nm_s_rad:g} N m s/rad), but gives way along the closing direction
  ({config.support_closing_n_s_m:g} N s/m), so that the finger that is there first pushes it to the other.
- Dropped below {MUST_HOLD_BELOW}, by family: {_counted(dropped)}.

## What holds from {MUST_SLIP_FROM} on, or with none

The pads as flat, 37.5 x 22 mm, looked at in a lattice of 165 rays each, before anything moves.

{diagnosis_table(bad)}

{origin}
"""
    write_columns(
        out / "label_physics.png",
        "Grasps held in physics, %, by the label's friction coefficient",
        f"smallest friction that holds, by the label; friction in the simulation {config.friction:g}",
        columns,
        range(0, 101, 20),
        ((90.0, "90 %"), (40.0, "40 %")),
    )
    (out / "label_physics.md").write_text(text, encoding="utf-8")
    return text


def write_stable_report(
    out: Path, trials: Sequence[StableTrial], edges: Sequence[float], config: TrialConfig, origin: str
) -> str:
    """Write stable_score_physics.md and .png and return the text."""
    columns, rows = [], []
    for lower, upper in itertools.pairwise(edges):
        some = [trial.result for trial in trials if lower <= trial.stable_score < upper]
        turn = np.degrees([result.turn_rad for result in some])
        slip = 1000 * np.array([result.slip_m for result in some])
        dropped = sum(not result.held for result in some)
        slipped = int(np.sum((np.radians(turn) > _SLIPPED_RAD) | (slip / 1000 > _SLIPPED_M)))
        quartiles = [_quantile(turn, share) for share in (0.25, 0.5, 0.75)]
        rows.append(
            f"| {lower:.1f}-{min(upper, 1.0):.1f} | {len(some)} | {_shown(quartiles[1])} "
            f"| {_shown(_quantile(slip, 0.5))} | {slipped} | {dropped} |"
        )
        columns.append(
            Column(
                f"{lower:.1f}-{min(upper, 1.0):.1f}",
                f"{slipped} of {len(some)} slip",
                quartiles[1],
                quartiles[0],
                quartiles[2],
            )
        )
    rank = _rank_correlation([(t.stable_score, t.result.turn_rad) for t in trials])
    size = " x ".join(f"{100 * side:g}" for side in BAR_SIZE_M)
    text = f"""# Stable score in physics

Paper VII-B: grasps far from the centre of mass slip in the hand. {len(trials)} label cells of a bar of
{size} cm and {BAR_MASS_KG:g} kg, all with a friction of at most {BAR_MAX_FRICTION}, so that they differ in
balance only; approach plumb, closed, lifted {config.lift_m:g} m, held {config.hold_s:g} s,
shaken {config.shake_s:g} s, friction {config.friction:g}. Slipped: turned by more than
{np.degrees(_SLIPPED_RAD):.0f} deg, moved by more than {1000 * _SLIPPED_M:.0f} mm, or dropped.

| stable score | grasps | median turn in the hand, deg | median slip of the centre, mm | slipped | dropped |
|---|---|---|---|---|---|
{chr(10).join(rows)}

Rank correlation (Spearman) of the turn with the stable score: {rank:.2f}. A grasp that dropped the bar
counts as the largest turn.

![turn in the hand by stable score](stable_score_physics.png)

{origin}
"""
    write_columns(
        out / "stable_score_physics.png",
        "Turn of a heavy bar in the hand, deg: median and quartiles (180: dropped)",
        "stable score of the grasp (0: the gripper's plane holds the centre of mass)",
        columns,
        range(0, 181, 30),
    )
    (out / "stable_score_physics.md").write_text(text, encoding="utf-8")
    return text


def _held(trials: Sequence[LabelTrial]) -> tuple[int, int]:
    return sum(trial.result.held for trial in trials), len(trials)


def _chance_of_rise(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Chance of so many more holding in the later of two bins (held, cells) if both held alike."""
    table = [[held, count - held] for held, count in (after, before)]
    return float(fisher_exact(table, alternative="greater").pvalue)


def _share(trials: Sequence[LabelTrial]) -> str:
    held, count = _held(trials)
    return f"{held / count:.1%} of {count}"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def _quantile(values: np.ndarray[tuple[int], np.dtype[np.float64]], share: float) -> float:
    # Of what was measured, not between: what was dropped is infinite.
    return float(np.quantile(values, share, method="lower"))


def _shown(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "dropped"


def _rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    score, turn = np.array(pairs).T
    return float(spearmanr(score, np.where(np.isfinite(turn), turn, np.pi)).statistic)
