# SPDX-License-Identifier: Apache-2.0
"""Injects one fault into a run, measures the arm, and judges what came of it."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anygrasp_perception.arrays import Float64Array
from faults.bench import Bench
from faults.fault import GOES_ON, Fault
from faults.motion import Motion
from faults.operator_node import Goal, wait_until

__all__ = ["Verdict", "try_fault"]

_STAGE_S = 240.0  # wall time to reach a stage, to end a run, to stand still
_ON_ITS_WAY_M = 0.05
_TRIES = 3
_LOG_S = 20.0  # a line passes through two processes
_HOLD_S = 1.0  # of the arm's time that it has to stand, before and after the cause is undone
_SAFE_M = 0.19  # a tool so high is out of the plate and above its objects


@dataclass(frozen=True)
class Verdict:
    """A row of the table."""

    group: str
    name: str
    stage: str
    arm: str
    log: str
    outcome: str
    bad: tuple[str, ...]  # what is wrong; empty: all is well
    wall_s: float
    stopped_after_s: float = 0.0
    travelled_m: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def try_fault(bench: Bench, fault: Fault) -> Verdict:
    """Run to the fault's stage, inject it, look, undo it, and see whether the cell works again.

    Raises:
        RuntimeError, TimeoutError: the bench is in no state to try a fault.
    """
    began_s = time.monotonic()
    bad: list[str] = []
    goal = None if fault.stage == "start" else _run_to(bench, fault)
    struck_s, mark_s = time.monotonic(), bench.motion().now_s
    fault.inject(bench)
    if goal is None:
        goal = bench.begin_run(fault.attempts)
    ended = True
    if fault.codes is None:
        time.sleep(1.0)
    else:
        ended = wait_until(lambda: goal.result is not None, _STAGE_S)
        if not ended:
            bad.append("the run did not end")
    if not bench.wait_still(_HOLD_S, _STAGE_S):
        bad.append("the arm still moves")
    motion = bench.motion(mark_s)
    arm = _describe(motion, fault)
    line = _log_line(bench, goal, fault.log, struck_s) if fault.log else "-"
    if line is None:
        bad.append(f"nothing in the log about {fault.log!r}")
    outcome, wrong = _outcome(goal, fault) if ended else ("hangs", [])
    bad += wrong
    fault.undo(bench)
    said = []
    if fault.codes is None or GOES_ON not in fault.codes:
        # Undoing the cause alone must move nothing: the arm is where it was a moment later, too.
        before = bench.motion()
        bench.wait_still(before.still_for_s + _HOLD_S, 60.0)
        if bench.motion(before.now_s).travelled_m > 0.002:
            bad.append("the arm went on by itself once the cause was gone")
    for name in fault.requests:
        done, text = _request(bench, name)
        said.append(f"`{name}`" if done else f"`{name}` refused: {text}")
        if not done:
            bad.append(f"{name} was refused: {text}")
    works, how = _works_again(bench, fault)
    if not works:
        bad.append(f"does not work again: {how}")
    outcome += "".join(f"; {text}" for text in said) + f"; then {how}"
    return Verdict(
        *(fault.group, fault.name, fault.stage, arm, line or "", outcome, tuple(bad)),
        wall_s=time.monotonic() - began_s,
        stopped_after_s=motion.stopped_after_s,
        travelled_m=motion.travelled_m,
    )


def _reach(bench: Bench, goal: Goal, stage: str) -> bool:
    """Wait for the stage, and where the arm moves in it until it is on its way."""
    if not wait_until(lambda: stage in goal.stages or goal.result is not None, _STAGE_S):
        return False
    if stage in ("approach", "lift", "place"):
        start_m = np.array(bench.motion().tcp_m)
        wait_until(lambda: _is_on_its_way(bench, start_m) or goal.result is not None, _STAGE_S)
    return stage in goal.stages and goal.result is None


def _is_on_its_way(bench: Bench, start_m: Float64Array) -> bool:
    motion = bench.motion()
    return motion.moving and float(np.linalg.norm(motion.tcp_m - start_m)) > _ON_ITS_WAY_M


def _describe(motion: Motion, fault: Fault) -> str:
    z = motion.tcp_m[2]
    where = "raised" if z >= _SAFE_M else "low"
    if fault.stage == "start" and motion.travelled_m >= 0.002:
        return f"went home and stands there, {where} (z {z:.2f} m)"
    if motion.travelled_m < 0.002:
        return f"stood still all the time, {where} (z {z:.2f} m)"
    return (
        f"still {motion.stopped_after_s:.2f} s after the fault, {1000 * motion.travelled_m:.0f} mm on, "
        f"{where} (z {z:.2f} m)"
    )


def _log_line(bench: Bench, goal: Goal, pattern: str, since_s: float) -> str | None:
    """The first line of a node's log that fits, else the text of the run's result."""
    found: list[str] = []

    def look() -> bool:
        found[:] = [line for line in bench.log_since(since_s) if re.search(pattern, line)]
        return bool(found)

    wait_until(look, _LOG_S)
    if found:
        return found[0]
    texts = [] if goal.result is None else [goal.result.error_msg]
    texts += [record.error_msg for record in goal.finished]
    return next((f"result: {text}" for text in texts if re.search(pattern, text)), None)


def _outcome(goal: Goal, fault: Fault) -> tuple[str, list[str]]:
    """What became of the run, and what is wrong with that."""
    if fault.codes is None:
        return "run lost with the executor", []
    assert goal.result is not None
    code = goal.result.error_code
    attempts = [record.error_code or "placed" for record in goal.result.records]
    wrong = [] if code in fault.codes else [f"ended with {code or 'no error'}: {goal.result.error_msg}"]
    done = f" ({', '.join(attempts)})" if attempts else ""
    if code == GOES_ON:
        return f"goes on by itself{done}", wrong
    return f"asks for help: {code}{done}", wrong


def _request(bench: Bench, name: str) -> tuple[bool, str]:
    """Ask until it is granted: a protective stop may be unlocked after five seconds only."""
    answer: tuple[bool, str] = (False, "")
    deadline_s = time.monotonic() + _STAGE_S
    while time.monotonic() < deadline_s:
        answer = bench.operator.call(name)
        if answer[0]:
            break
        time.sleep(1.0)
    return answer


def _run_to(bench: Bench, fault: Fault) -> Goal:
    """A run that is at the fault's stage.

    Raises:
        RuntimeError: it does not get there, of which the fault knows nothing yet.
    """
    ends: list[str] = []
    for _ in range(_TRIES):
        goal = bench.begin_run(fault.attempts)
        if _reach(bench, goal, fault.stage):
            return goal
        ends.append(_ended(goal))
        if goal.result is None:
            bench.operator.cancel(goal)
        _request(bench, "emergency_stop/reset")
    raise RuntimeError(f"stage {fault.stage} was not reached: {'; '.join(ends)}")


def _works_again(bench: Bench, fault: Fault) -> tuple[bool, str]:
    """Whether a new goal gets to its approach, or picks; and at the how manieth go."""
    ends: list[str] = []
    for number in range(1, _TRIES + 1):
        again = "" if number == 1 else f" at go {number} ({'; '.join(ends)})"
        goal = bench.begin_move() if fault.afterwards == "move" else bench.begin_run(1)
        if fault.afterwards == "pick":
            wait_until(lambda goal=goal: goal.result is not None, _STAGE_S)
            if goal.result is not None and any(record.placed for record in goal.result.records):
                return True, f"picks again{again}"
        elif _reach(bench, goal, "approach"):
            bench.operator.cancel(goal)
            wait_until(lambda goal=goal: goal.result is not None, _STAGE_S)
            bench.wait_still(0.3, 60.0)
            return True, f"{'moves' if fault.afterwards == 'move' else 'sees and moves'} again{again}"
        ends.append(_ended(goal))
    return False, "; ".join(ends)


def _ended(goal: Goal) -> str:
    if goal.result is None:
        return f"no result after {goal.stages}"
    return f"{goal.result.error_code or 'ended'}: {goal.result.error_msg}"
