# SPDX-License-Identifier: Apache-2.0
"""Robot mode and safety mode of a UR controller, and what moves it from one to the other."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["RobotMode", "SafetyMode", "UrSafety"]

# A real controller refuses to unlock earlier: time to look at the cause.
_UNLOCK_AFTER_S = 5.0


class RobotMode(IntEnum):
    """RTDE `robot_mode`."""

    POWER_OFF = 3
    IDLE = 5
    RUNNING = 7


class SafetyMode(IntEnum):
    """RTDE `safety_mode`."""

    NORMAL = 1
    PROTECTIVE_STOP = 3
    SAFEGUARD_STOP = 5
    ROBOT_EMERGENCY_STOP = 7


_STATUS_BITS = {  # RTDE `safety_status_bits`; bit 10: stopped due to safety
    SafetyMode.NORMAL: 1 << 0,
    SafetyMode.PROTECTIVE_STOP: 1 << 2 | 1 << 10,
    SafetyMode.SAFEGUARD_STOP: 1 << 4 | 1 << 10,
    SafetyMode.ROBOT_EMERGENCY_STOP: 1 << 6 | 1 << 7 | 1 << 10,
}


class UrSafety:
    """Modes as the controller reports them. A protective or emergency stop ends the running program; a
    safeguard stop only pauses it. After an emergency stop the arm is unpowered and must be started again."""

    def __init__(self) -> None:
        self.robot_mode = RobotMode.RUNNING
        self.mode = SafetyMode.NORMAL
        self.reason = ""
        self._stopped_at_s = 0.0

    @property
    def can_move(self) -> bool:
        """Whether brakes are released and no stop is active."""
        return self.robot_mode is RobotMode.RUNNING and self.mode is SafetyMode.NORMAL

    @property
    def status_bits(self) -> int:
        """RTDE `safety_status_bits`."""
        return _STATUS_BITS[self.mode]

    def protective_stop(self, reason: str, time_s: float) -> None:
        """Stop for `reason`; an emergency stop that is already active stays."""
        if self.mode is not SafetyMode.ROBOT_EMERGENCY_STOP:
            self.mode, self.reason, self._stopped_at_s = SafetyMode.PROTECTIVE_STOP, reason, time_s

    def unlock_protective_stop(self, time_s: float) -> bool:
        """Return to normal; False when it is too early (5 s) or there is nothing to unlock."""
        if self.mode is not SafetyMode.PROTECTIVE_STOP or time_s - self._stopped_at_s < _UNLOCK_AFTER_S:
            return False
        self.mode, self.reason = SafetyMode.NORMAL, ""
        return True

    def safeguard_stop(self, active: bool) -> None:
        """Open (True) or close the safeguard input; other stops stay."""
        if active and self.mode is SafetyMode.NORMAL:
            self.mode = SafetyMode.SAFEGUARD_STOP
        elif not active and self.mode is SafetyMode.SAFEGUARD_STOP:
            self.mode = SafetyMode.NORMAL

    def emergency_stop(self) -> None:
        """Press the emergency stop button: brakes on, power off."""
        self.mode, self.reason = SafetyMode.ROBOT_EMERGENCY_STOP, "emergency stop button"
        self.robot_mode = RobotMode.POWER_OFF

    def release_emergency_stop(self) -> None:
        """Release the button; the arm stays unpowered."""
        if self.mode is SafetyMode.ROBOT_EMERGENCY_STOP:
            self.mode, self.reason = SafetyMode.NORMAL, ""

    def power_on(self) -> bool:
        """Power the arm with brakes on; False while a stop forbids it."""
        if self.mode is SafetyMode.NORMAL and self.robot_mode is RobotMode.POWER_OFF:
            self.robot_mode = RobotMode.IDLE
        return self.robot_mode is not RobotMode.POWER_OFF

    def power_off(self) -> None:
        """Brakes on, power off."""
        self.robot_mode = RobotMode.POWER_OFF

    def brake_release(self) -> bool:
        """Release the brakes, powering the arm if needed; False while a stop forbids it."""
        if self.power_on():
            self.robot_mode = RobotMode.RUNNING
        return self.robot_mode is RobotMode.RUNNING
