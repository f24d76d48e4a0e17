# SPDX-License-Identifier: Apache-2.0
"""Whether a Flexiv Rizon can be reached and would move on command, without enabling it."""

from __future__ import annotations

from typing import Any

from anygrasp_bringup.doctor.finding import Finding, ok, problem, warning
from robot_drivers.arms.arm import ArmError
from robot_drivers.arms.flexiv_config import FlexivArmConfig, load_flexivrdk
from robot_drivers.arms.flexiv_session import status_advice

__all__ = ["check_flexiv"]

_PLACEHOLDER = FlexivArmConfig().serial_number


def check_flexiv(config: FlexivArmConfig, rdk: Any = None) -> list[Finding]:
    """Connect and read; `rdk` is the module flexivrdk, or an object with its API."""
    if config.serial_number == _PLACEHOLDER:
        return [
            problem(
                f"the serial number is the placeholder {_PLACEHOLDER}",
                "give --serial-number as on the robot's base, without the space, like Rizon4-062016",
            )
        ]
    try:
        rdk = rdk or load_flexivrdk()
        robot = rdk.Robot(config.serial_number, list(config.network_interfaces))
    except ArmError as error:
        text, _, fix = str(error).partition(": ")
        return [problem(text, fix)]
    except RuntimeError as error:
        where = ", ".join(config.network_interfaces) or "any interface"
        return [
            problem(
                f"no {config.serial_number} answers through {where}: {error}",
                "wait until it has booted; check cable and serial number; this machine needs an address on "
                "its network, and the robot a licence for RDK",
            )
        ]
    if not robot.connected():
        return [problem(f"the connection to {config.serial_number} broke", "check the cable, ask again")]
    states = robot.states()
    joints, place = (", ".join(f"{v:.3f}" for v in values) for values in (states.q, states.tcp_pose[:3]))
    findings = [
        ok(f"{config.serial_number} is connected"),
        ok(f"it stands at joints [{joints}] rad, its TCP at ({place}) m"),
    ]
    status = robot.operational_status().name
    if not robot.estop_released():
        findings.append(problem("its emergency stop is pressed", "release the button"))
    elif robot.fault():
        findings.append(problem(f"it reports a fault ({status})", status_advice(status)))
    elif robot.operational():
        findings.append(ok("it is operational"))
    elif status == rdk.OperationalStatus.NOT_ENABLED.name:
        findings.append(ok("it is not enabled, which the driver does when it connects"))
    else:
        findings.append(problem(f"it is not operational ({status})", status_advice(status)))
    if not config.network_interfaces:
        findings.append(
            warning(
                "arm.network_interfaces is empty: the robot is looked for on every network",
                "name this machine's address on the robot's network",
            )
        )
    return findings
