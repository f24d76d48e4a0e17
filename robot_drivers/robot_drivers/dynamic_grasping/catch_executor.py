# SPDX-License-Identifier: Apache-2.0
"""Catches moving objects with one arm, until enough are caught or time is up (paper, Algorithm 1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from anygrasp_tracking.correspondence import CorrespondencePolicy
from robot_drivers.arms.arm import Arm, ArmError
from robot_drivers.dynamic_grasping.catch_config import CatchConfig
from robot_drivers.dynamic_grasping.catch_moves import CatchMoves
from robot_drivers.dynamic_grasping.catch_record import CatchRecord
from robot_drivers.dynamic_grasping.catch_run import CatchRun, OnProgress, PerceiveFrame
from robot_drivers.dynamic_grasping.way_out import WayOut
from robot_drivers.executors.pick_errors import PickError, PickFailed, as_pick_failure
from robot_drivers.executors.stop_switch import StopSwitch
from robot_drivers.grippers.gripper import Gripper, GripperError
from robot_drivers.safety import SafetyLimits

__all__ = ["CatchExecutor", "CatchLimits", "CatchResult", "without_prediction"]


@dataclass(frozen=True)
class CatchLimits:
    """When a run ends by itself; 0: no limit. Raises ValueError on negative numbers."""

    max_catches: int = 0
    max_attempts: int = 0
    timeout_s: float = 0.0  # by the executor's clock

    def __post_init__(self) -> None:
        if min(self.max_catches, self.max_attempts, self.timeout_s) < 0:
            raise ValueError(f"limits must be 0 or more, got {self}")


@dataclass(frozen=True, eq=False)
class CatchResult:
    """What a run did."""

    error_code: PickError | None  # None: the run ended by itself
    error_msg: str
    records: tuple[CatchRecord, ...]
    duration_s: float
    counts: dict[str, int] = field(default_factory=dict)  # frames, and recoveries by reason
    loop_hz: float = 0.0  # images a second of wall time while a target was followed, median; 0: none was

    @property
    def catches(self) -> int:
        """Attempts that ended with something held over the bin, by the gripper's word."""
        return sum(record.kept for record in self.records)


class CatchExecutor:
    """Runs one goal at a time; `stop` may be called from any thread.

    Args:
        arm: connected, within its safety limits.
        gripper: connected and activated.
        perceive: gives the grasps of a new image, base frame.
        policy: makes what decides which grasp is the target's in a new frame; one for each run.
        clock: seconds, that of the images' stamps.
        on_progress: called in every frame.
        limits: the arm's safety limits: no target is chosen from which they allow no way to the throw.
    """

    def __init__(
        self,
        config: CatchConfig,
        arm: Arm,
        gripper: Gripper,
        perceive: PerceiveFrame,
        policy: CorrespondencePolicy,
        clock: Callable[[], float],
        on_progress: OnProgress = lambda stage, track_id, left: None,
        limits: SafetyLimits | None = None,
    ) -> None:
        self.config = config
        self._arm = arm
        self._gripper = gripper
        self._perceive = perceive
        self._policy = policy
        self._clock = clock
        self._on_progress = on_progress
        self._way_out = WayOut(arm, config.motion, limits)
        self._stop = StopSwitch()
        self._running = threading.Lock()

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
        self._stop.trip(reason, message)
        self._arm.stop()
        with suppress(GripperError):  # fingers that are lost do not move either
            self._gripper.stop()

    def clear_stop(self, reason: PickError = PickError.EMERGENCY_STOP) -> bool:
        """Allow motion again after a stop for this reason; False when an emergency stop outranks it.

        Raises:
            PickFailed: BUSY, the stopped run has not ended yet.
            ArmError: the arm's own safety still holds it, or it is lost.
        """
        if not self._running.acquire(blocking=False):
            raise PickFailed(PickError.BUSY, "the stopped run has not ended yet: try again in a moment")
        try:
            if not self._stop.yields_to(reason):
                return False
            self._arm.clear_stop()
            self._stop.reset()
            return True
        finally:
            self._running.release()

    def catch(
        self, limits: CatchLimits | None = None, done: Callable[[], bool] = lambda: False
    ) -> CatchResult:
        """Catch until a limit is reached or `done` says so; the arm ends standing, above the water.

        After a stop or the loss of a device it ends where it is, with the error.
        """
        limits = limits or CatchLimits()
        moves = CatchMoves(self._arm, self._gripper, self.config.motion, self._stop)
        run = CatchRun(
            self.config,
            moves,
            self._way_out,
            self._perceive,
            self._policy,
            self._stop,
            self._clock,
            self._on_progress,
        )
        begin_s = self._clock()

        def finished(run: CatchRun) -> bool:
            return (
                done()
                or 0 < limits.max_catches <= run.catches
                or 0 < limits.max_attempts <= len(run.records)
                or 0 < limits.timeout_s <= self._clock() - begin_s
            )

        failure: PickFailed | None = None
        if not self._running.acquire(blocking=False):
            failure = PickFailed(
                PickError.BUSY, "the arm is executing another goal: wait for it or cancel it"
            )
        else:
            try:
                failure = self._execute(run, moves, finished)
            finally:
                self._running.release()
        return CatchResult(
            error_code=failure.code if failure else None,
            error_msg=str(failure) if failure else "",
            records=tuple(run.records),
            duration_s=self._clock() - begin_s,
            counts=dict(run.counts),
            loop_hz=run.loop_hz,
        )

    def _execute(
        self, run: CatchRun, moves: CatchMoves, finished: Callable[[CatchRun], bool]
    ) -> PickFailed | None:
        """Why the run ended early, None when it did not."""
        failure: PickFailed | None = None
        try:
            self._stop.check()
            run.execute(finished)
            moves.stand()
        except PickFailed as error:
            failure = error
        except (ArmError, GripperError) as error:
            failure = as_pick_failure(error, self._arm)
        if failure is not None:
            failure = self._stand_still(moves, failure)
            if run.records and run.records[-1].ended_s == 0.0:
                run.records[-1] = run.records[-1].failed(failure.code, str(failure), self._clock())
        return failure

    def _stand_still(self, moves: CatchMoves, failure: PickFailed) -> PickFailed:
        """Bring the arm to rest; a stop of ours explains any other error."""
        with suppress(ArmError):  # it stands, or nobody reaches it: `failure` says so
            moves.stand()
        reason = self._stop.reason
        if reason is not None and failure.code is not reason:
            return PickFailed(reason, f"{self._stop.message}; {failure}")
        return failure


def without_prediction(config: CatchConfig) -> CatchConfig:
    """The same config, servoing to grasps where they were seen last."""
    return replace(config, servo=replace(config.servo, predict=False))
