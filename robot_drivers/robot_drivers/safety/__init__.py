# SPDX-License-Identifier: Apache-2.0
"""What no command to an arm or gripper gets past: limits, dry run, watchdog."""

from robot_drivers.safety.limits import LimitViolation, SafetyLimits
from robot_drivers.safety.safe_arm import SafeArm

__all__ = ["LimitViolation", "SafeArm", "SafetyLimits"]
