# SPDX-License-Identifier: Apache-2.0
"""Why a pick or a run failed: the error codes of the actions, and which driver error means which."""

from __future__ import annotations

from enum import Enum

from robot_drivers.arms.arm import Arm, ArmError, ArmLost, ArmState, UnreachablePose
from robot_drivers.grippers.gripper import GripperError
from robot_drivers.safety import LimitViolation

__all__ = ["PickError", "PickFailed", "as_pick_failure"]


class PickError(str, Enum):
    """Error codes of the `pick` and `clear_bin` actions; each value is its name."""

    OUTSIDE_WORKSPACE = "OUTSIDE_WORKSPACE"
    TILT_TOO_LARGE = "TILT_TOO_LARGE"
    TOO_WIDE = "TOO_WIDE"
    UNREACHABLE = "UNREACHABLE"
    TOO_FAST = "TOO_FAST"
    TF_UNAVAILABLE = "TF_UNAVAILABLE"
    NOTHING_GRASPED = "NOTHING_GRASPED"
    OBJECT_LOST = "OBJECT_LOST"
    ROBOT_LOST = "ROBOT_LOST"
    ROBOT_STOPPED = "ROBOT_STOPPED"
    GRIPPER_LOST = "GRIPPER_LOST"
    EMERGENCY_STOP = "EMERGENCY_STOP"
    BUSY = "BUSY"
    CANCELED = "CANCELED"
    NO_PERCEPTION = "NO_PERCEPTION"

    @property
    def ends_run(self) -> bool:
        """Whether nothing may move after it, so that no recovery and no further pick follows."""
        return self in _RUN_ENDING


_RUN_ENDING = frozenset(
    {
        PickError.ROBOT_LOST,
        PickError.ROBOT_STOPPED,
        PickError.GRIPPER_LOST,
        PickError.EMERGENCY_STOP,
        PickError.CANCELED,
    }
)


class PickFailed(RuntimeError):
    """A pick cannot go on: `code` for programs, the message (value, limit, fix) for people."""

    def __init__(self, code: PickError, message: str) -> None:
        super().__init__(message)
        self.code = code


def as_pick_failure(error: ArmError | GripperError, arm: Arm) -> PickFailed:
    """What an error of the arm or the gripper means for the pick under way."""
    match error:
        case GripperError() if arm.state() is ArmState.DISCONNECTED:
            # Whoever connects the arm again begins with both.
            return PickFailed(
                PickError.ROBOT_LOST, f"the connection to the arm broke, and the gripper's with it ({error})"
            )
        case GripperError():
            code = PickError.GRIPPER_LOST
        case LimitViolation():
            code = PickError(error.code)
        case UnreachablePose():
            code = PickError.UNREACHABLE
        case ArmLost():
            code = PickError.ROBOT_LOST
        case _:
            code = _stopped_code(arm)
    return PickFailed(code, str(error))


def _stopped_code(arm: Arm) -> PickError:
    match arm.state():
        case ArmState.EMERGENCY_STOP:
            return PickError.EMERGENCY_STOP
        case ArmState.DISCONNECTED:
            return PickError.ROBOT_LOST
        case _:
            return PickError.ROBOT_STOPPED
