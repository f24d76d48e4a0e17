# SPDX-License-Identifier: Apache-2.0
"""Clears a bin: perceive, select, pick, and again until nothing graspable is seen (paper V-B)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

import numpy as np

from robot_drivers.arms.arm import Arm
from robot_drivers.executors.bin_picking_config import BinPickingConfig
from robot_drivers.executors.bin_run import BinRun
from robot_drivers.executors.grasp_target import aim_grasp
from robot_drivers.executors.motion import PickMotion
from robot_drivers.executors.perception import Perceive, Perception
from robot_drivers.executors.pick import OnEvent, PickSequence
from robot_drivers.executors.pick_errors import PickError, PickFailed
from robot_drivers.executors.pick_record import PickRecord, PickStage
from robot_drivers.executors.stop_switch import StopSwitch
from robot_drivers.grippers.gripper import Gripper, GripperError
from robot_drivers.safety import SafetyLimits

__all__ = ["BinPickingConfig", "BinPickingExecutor", "BinPickingResult"]

_LOG = logging.getLogger(__name__)

_STOP_AGAIN_S = 0.05


@dataclass(frozen=True, eq=False)
class BinPickingResult:
    """What a run did."""

    error_code: PickError | None  # None: the run ended by itself
    error_msg: str
    records: tuple[PickRecord, ...]
    empty_perceptions: int  # consecutive ones at the end
    duration_s: float  # ROS clock, start to end
    why_no_grasp: str  # what was perceived and refused when the last perception gave no grasp, else ""


class BinPickingExecutor:
    """Runs one goal at a time on one arm and gripper; `stop` may be called from any thread.

    Args:
        arm: wrapped in the safety limits, connected.
        gripper: connected and activated.
        perceive: gives grasps of a new image; called from the thread that runs the goal.
        clock: ROS-clock time in seconds.
        limits: those that the arm enforces; grasps beyond them are refused before anything moves.
        on_event: called at each stage with the record so far, and with `DONE` and the finished record.
        in_use: held while arm and gripper are used, not while waiting for perception.

    Raises:
        ValueError: the limits allow wider openings than the gripper has, or sideways approaches.
    """

    def __init__(
        self,
        config: BinPickingConfig,
        arm: Arm,
        gripper: Gripper,
        perceive: Perceive,
        clock: Callable[[], float],
        limits: SafetyLimits,
        on_event: OnEvent = lambda stage, record: None,
        in_use: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        if limits.max_width_m > config.grip.open_width_m:
            raise ValueError(
                f"max_width_m {limits.max_width_m} of the safety limits exceeds open_width_m "
                f"{config.grip.open_width_m} of the grip: the gripper cannot open so wide"
            )
        if not limits.max_tilt_rad < np.pi / 2.0:
            raise ValueError(
                f"max_tilt_rad {limits.max_tilt_rad:.2f} of the safety limits must be less than pi / 2: "
                "backing off along the approach has to lead upwards"
            )
        self.config = config
        self._arm = arm
        self._gripper = gripper
        self._perceive = perceive
        self._clock = clock
        self._limits = limits
        self._on_event = on_event
        self._stop = StopSwitch()
        self._running = threading.Lock()  # held by the goal that runs
        self._switching = threading.Lock()  # stop switch and arm are stopped and released together
        motion = PickMotion(arm, config.motion, config.target.transit_height_m, self._stop)
        self._sequence = PickSequence(config.grip, arm, gripper, motion, self._stop, clock, on_event, in_use)

    @property
    def stopped(self) -> threading.Event:
        """Set while a stop is latched, for a `perceive` that waits."""
        return self._stop.event

    @property
    def stop_reason(self) -> PickError | None:
        """CANCELED or EMERGENCY_STOP while a stop is latched, else None."""
        return self._stop.reason

    def stop(self, reason: PickError = PickError.EMERGENCY_STOP, message: str = "") -> None:
        """Halt arm and fingers now and end the run with `reason`; nothing moves until `clear_stop`.

        Raises:
            ValueError: `reason` is neither CANCELED nor EMERGENCY_STOP.
        """
        with self._switching:
            self._stop.trip(reason, message)
            self._arm.stop()
        self._stop_fingers()
        # Fingers that were told to move at this very moment may have missed it: tell them again.
        if self._running.acquire(timeout=_STOP_AGAIN_S):
            self._running.release()
        else:
            self._stop_fingers()

    def clear_stop(self, reason: PickError = PickError.EMERGENCY_STOP) -> bool:
        """Allow motion again after a stop for this reason; False when an emergency stop outranks it.

        Raises:
            PickFailed: BUSY, the stopped run has not ended yet.
            ArmError: the arm's own safety still holds it, or it is lost.
        """
        if self._stop.reason is None and self._running.locked():
            return True  # a run goes on undisturbed
        # No run is under way here, so a stop that has to wait for the switch keeps nothing moving.
        with self._exclusive(), self._switching:
            if not self._stop.yields_to(reason):
                return False
            self._arm.clear_stop()
            self._stop.reset()
            return True

    def pick(self, perception: Perception) -> PickRecord:
        """Execute the one grasp of `perception`; the record says how it went.

        The arm ends over the bin, or at home when the pick failed.

        Raises:
            ValueError: not exactly one grasp.
        """
        if len(perception.grasps_base) != 1:
            raise ValueError(f"pick got {len(perception.grasps_base)} grasps; give exactly one")
        record = replace(perception.record(0, attempt=1), started_s=self._clock())
        try:
            with self._exclusive():
                self._on_event(PickStage.CHECK, record)
                self._stop.check()
                with self._sequence.devices():
                    target = aim_grasp(perception.grasps_base, self._arm, self._limits, self.config.target)
                record = self._sequence.run(target, record)
        except PickFailed as failure:
            record = record.failed(failure.code, str(failure), self._clock())
        self._on_event(PickStage.DONE, record)
        return record

    def clear_bin(self, max_attempts: int = 0) -> BinPickingResult:
        """Pick until nothing graspable is seen, or `max_attempts` (0: no limit); ends at home.

        A pick that fails is recorded and the run goes on. The run ends early, and the arm stands still,
        with the error of a stop, a lost arm or gripper, or a perception that does not answer.
        """
        run = BinRun(
            self.config,
            self._arm,
            self._limits,
            self._perceive,
            self._sequence,
            self._stop,
            self._clock,
            self._on_event,
        )
        begin_s = self._clock()
        failure: PickFailed | None = None
        try:
            with self._exclusive():
                run.execute(max_attempts)
        except PickFailed as error:
            failure = error
        return BinPickingResult(
            error_code=failure.code if failure else None,
            error_msg=str(failure) if failure else "",
            records=tuple(run.records),
            empty_perceptions=run.empty_perceptions,
            duration_s=self._clock() - begin_s,
            why_no_grasp=run.why_no_grasp,
        )

    def _stop_fingers(self) -> None:
        try:
            self._gripper.stop()
        except GripperError as error:
            _LOG.error("the gripper did not take the stop: %s", error)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if not self._running.acquire(blocking=False):
            raise PickFailed(PickError.BUSY, "the arm is executing another goal: wait for it or cancel it")
        try:
            yield
        finally:
            self._running.release()
