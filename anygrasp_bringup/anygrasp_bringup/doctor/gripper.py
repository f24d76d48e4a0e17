# SPDX-License-Identifier: Apache-2.0
"""Whether the gripper answers and has no fault; it is neither activated nor moved."""

from __future__ import annotations

from anygrasp_bringup.doctor.finding import Finding, ok, problem, skipped
from anygrasp_bringup.doctor.settings import DoctorSettings
from robot_drivers.grippers.gripper import GripperError
from robot_drivers.grippers.robotiq import ACTIVE, fault_text
from robot_drivers.grippers.robotiq_config import RobotiqConfig
from robot_drivers.grippers.robotiq_modbus import make_robotiq_link

__all__ = ["check", "check_robotiq"]


def check(settings: DoctorSettings) -> list[Finding]:
    """See module."""
    if settings.flexiv is not None:
        return [
            skipped(
                "the gripper of a Flexiv is the robot's own",
                "look at it on the pendant: Settings, Device; our driver initializes it when it connects",
            )
        ]
    if "gripper" not in settings.asked:
        return [skipped("no gripper is asked for", "give --robot-ip IP, or --config F.yaml with `gripper`")]
    return check_robotiq(settings.gripper)


def check_robotiq(config: RobotiqConfig) -> list[Finding]:
    """Connect and read three registers."""
    where = config.device if config.transport == "modbus_serial" else config.robot_ip
    link = make_robotiq_link(config)
    try:
        link.open()
        try:
            status, fault, position = link.read("STA", "FLT", "POS")
        finally:
            link.close()
    except GripperError as error:
        text, _, fix = str(error).rpartition(": ") if "answered" in str(error) else str(error).partition(": ")
        return [problem(text or str(error), fix or "check its power and cable")]
    findings = [ok(f"a Robotiq gripper answers at {where} ({config.transport}), position {position} of 255")]
    if fault:
        findings.append(problem(f"it reports fault {fault}", fault_text(fault)))
    elif status != ACTIVE:
        findings.append(
            ok("it is not activated: our driver does that before the first pick, which opens and closes it")
        )
    return findings
