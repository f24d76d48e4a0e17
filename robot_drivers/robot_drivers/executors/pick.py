# SPDX-License-Identifier: Apache-2.0
"""State machine of one pick: approach, close, lift, place (paper V-B)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

from robot_drivers.arms.arm import Arm, ArmError
from robot_drivers.executors.grasp_target import GraspTarget
from robot_drivers.executors.motion import PickMotion
from robot_drivers.executors.pick_errors import PickError, PickFailed, as_pick_failure
from robot_drivers.executors.pick_record import PickRecord, PickStage
from robot_drivers.executors.stop_switch import StopSwitch
from robot_drivers.grippers.gripper import Gripper, GripperError, GripperState

__all__ = ["GripConfig", "OnEvent", "PickSequence"]

OnEvent = Callable[[PickStage, PickRecord], None]


@dataclass(frozen=True)
class GripConfig:
    """How the gripper is used.

    Raises:
        ValueError: a value outside its range.
    """

    open_width_m: float = 0.085  # opening at home and over the bin
    min_held_width_m: float = 0.001  # thinner is no object: it is the fingers that met
    open_speed: float = 1.0  # 0 to 1 of the gripper's range
    close_speed: float = 1.0  # 0 to 1 of the gripper's range
    open_force: float = 0.3  # 0 to 1 of the gripper's range
    close_force: float = 0.5  # 0 to 1 of the gripper's range

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_held_width_m < self.open_width_m:
            raise ValueError(
                f"min_held_width_m {self.min_held_width_m} must be at least 0 and below open_width_m "
                f"{self.open_width_m}"
            )
        for name in ("open_speed", "close_speed", "open_force", "close_force"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; use 0 to 1 of the gripper's range")


class PickSequence:
    """Executes one grasp and says in a record how it went.

    Args:
        clock: ROS-clock time in seconds.
        on_event: called at the start of each stage with the record so far.
        in_use: held while arm and gripper are used.
    """

    def __init__(
        self,
        config: GripConfig,
        arm: Arm,
        gripper: Gripper,
        motion: PickMotion,
        stop: StopSwitch,
        clock: Callable[[], float],
        on_event: OnEvent,
        in_use: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._config = config
        self._arm = arm
        self._gripper = gripper
        self._motion = motion
        self._stop = stop
        self._clock = clock
        self._on_event = on_event
        self._in_use = in_use
        self._record = PickRecord()

    def run(self, target: GraspTarget, record: PickRecord) -> PickRecord:
        """Execute the grasp; returns the finished record, with its error if it failed.

        After a failure that leaves the arm in order the arm is at home with open fingers; after any other
        (`error_code.ends_run`) nothing has moved since.
        """
        self._record = record
        try:
            with self.devices():
                self._pick(target)
        except PickFailed as failure:
            cause = self._recover(failure)
            return self._record.failed(cause.code, str(cause), self._clock())
        return replace(self._record, ended_s=self._clock())

    def home_and_open(self) -> None:
        """Straight up, to the home joints, and only there, above the bin, open the fingers.

        Raises:
            PickFailed: stopped, or arm or gripper failed.
        """
        with self.devices():
            self._motion.home()
            self._open(self._config.open_width_m)

    @contextmanager
    def devices(self) -> Iterator[None]:
        """Use arm and gripper; their errors become PickFailed, and a stop of ours explains any of them."""
        try:
            with self._in_use():
                yield
        except (ArmError, GripperError) as error:
            self._stop.check()
            raise as_pick_failure(error, self._arm) from error

    def _pick(self, target: GraspTarget) -> None:
        with self._stage(PickStage.APPROACH):
            self._motion.to_waypoint(target)
            self._open(target.opening_m)
            self._motion.to_grasp(target)
        with self._stage(PickStage.CLOSE):
            self._record = replace(self._record, closed_s=self._clock())
            closed = self._fingers(0.0, self._config.close_speed, self._config.close_force)
            if not self._holds(closed):
                raise PickFailed(
                    PickError.NOTHING_GRASPED,
                    f"the fingers closed to {closed.width_m:.3f} m without meeting an object: "
                    "look again and choose another grasp",
                )
        with self._stage(PickStage.LIFT):
            self._motion.lift()
            self._check_holds("lifting")
            self._record = replace(self._record, gripper_holds=True)
        with self._stage(PickStage.PLACE):
            self._motion.to_drop(self._record.attempt)
            self._check_holds("moving to the bin")
            self._open(self._config.open_width_m)
            self._record = replace(self._record, placed=True)

    def _recover(self, failure: PickFailed) -> PickFailed:
        """Bring the arm home unless nothing may move any more; returns what the attempt failed of."""
        if failure.code.ends_run:
            return failure
        try:
            self.home_and_open()
        except PickFailed as second:
            if second.code.ends_run:
                return second
            # An arm that cannot come home is no state to start the next pick from.
            return PickFailed(
                PickError.ROBOT_STOPPED,
                f"no way home after {failure.code.value}: {second}; bring the arm home by hand",
            )
        return failure

    @contextmanager
    def _stage(self, stage: PickStage) -> Iterator[None]:
        self._on_event(stage, self._record)
        begin_s = self._clock()
        try:
            yield
        finally:
            self._record = self._record.with_stage(stage, self._clock() - begin_s)

    def _open(self, width_m: float) -> None:
        self._fingers(width_m, self._config.open_speed, self._config.open_force)

    def _fingers(self, width_m: float, speed: float, force: float) -> GripperState:
        self._stop.check()
        state = self._gripper.move(width_m, speed=speed, force=force)
        self._stop.check()  # a stop while the fingers moved looks like an object between them
        return state

    def _check_holds(self, doing: str) -> None:
        state = self._gripper.state()
        if not self._holds(state):
            raise PickFailed(
                PickError.OBJECT_LOST,
                f"the object slipped while {doing}: the fingers are at {state.width_m:.3f} m; "
                "a slower lift or more force may help",
            )

    def _holds(self, state: GripperState) -> bool:
        return state.object_detected and state.width_m >= self._config.min_held_width_m
