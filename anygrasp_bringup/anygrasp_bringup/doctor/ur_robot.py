# SPDX-License-Identifier: Apache-2.0
"""Whether a UR can be reached and would move on command, without sending it a program."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable

from anygrasp_bringup.doctor.finding import Finding, ok, problem, warning
from robot_drivers.arms.arm import ArmError, ArmState
from robot_drivers.arms.ur_client import UrClient
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_session import REMOTE_CONTROL_ADVICE, open_receive
from robot_drivers.arms.ur_snapshot import UrSnapshot

__all__ = ["check_ur"]

_CONNECT_S, _ANSWER_S = 3.0, 5.0
_DASHBOARD, _SCRIPT, _RTDE = 29999, 30002, 30004
_PORTS = {
    "rtde": {_DASHBOARD: "dashboard", _SCRIPT: "programs", 30003: "programs", _RTDE: "RTDE"},
    "urscript": {_DASHBOARD: "dashboard", _SCRIPT: "programs", _RTDE: "RTDE"},
}
_SLOW_MS = 20.0
_E_SERIES, _REMOTE_CONTROL = 5, (5, 6)
_SERVICES = (
    "on the pendant allow it under Settings, Security, Services, and look at Inbound Access there; ports "
    "30001 to 30003 are closed in Local Control, too"
)

# Questions; the dashboard also takes commands, which the doctor does not know.
_VERSION, _MODEL, _REMOTE = "PolyscopeVersion", "get robot model", "is in remote control"
_QUESTIONS = (_VERSION, _MODEL, _REMOTE, "robotmode", "safetymode", "programState")


def check_ur(config: UrArmConfig) -> list[Finding]:
    """Ports, what the dashboard answers, and the state stream by ur_rtde."""
    ports = _PORTS[config.transport]
    findings, closed = _ports(config, ports)
    if closed == set(ports):
        return findings
    if not closed:
        findings = [ok(f"the UR at {config.robot_ip} answers on ports {_listed(ports)}")]
    if _DASHBOARD not in closed:
        try:
            findings += _dashboard(config)
        except (OSError, ValueError) as error:
            findings.append(
                problem(
                    f"port {_DASHBOARD} at {config.robot_ip} is open, but no dashboard answers: {error}",
                    "is it a UR controller? Restart it if it is",
                )
            )
    return [*findings, *(_state(config) if _RTDE not in closed else [])]


def _ports(config: UrArmConfig, ports: dict[int, str]) -> tuple[list[Finding], set[int]]:
    """Problems with them, and which are closed."""
    refused: list[int] = []
    silent: list[int] = []
    for port in ports:
        try:
            with socket.create_connection((config.robot_ip, port), timeout=_CONNECT_S):
                pass
        except ConnectionRefusedError:
            refused.append(port)
        except TimeoutError:
            silent.append(port)
        except OSError as error:
            return [
                problem(
                    f"no way to a UR at {config.robot_ip}: {error}",
                    "check cable, robot_ip, and this machine's address on the robot's network",
                )
            ], set(ports)
    if len(silent) == len(ports):
        return [
            problem(
                f"nobody answers at {config.robot_ip}",
                "switch the robot on and wait for PolyScope; check the cable and robot_ip (pendant: "
                "Settings, System, Network); ping it",
            )
        ], set(ports)
    if len(refused) == len(ports):
        return [
            problem(
                f"a machine answers at {config.robot_ip}, but no UR controller",
                "check robot_ip; a robot that boots needs a minute or two",
            )
        ], set(ports)
    findings = [
        problem(f"the UR at {config.robot_ip} {how} port {_listed(closed)} ({ports[closed[0]]})", _SERVICES)
        for how, closed in (("refuses", refused), ("does not answer on", silent))
        if closed
    ]
    return findings, {*refused, *silent}


def _dashboard(config: UrArmConfig) -> list[Finding]:
    began_s = time.monotonic()
    answers = _ask(config.robot_ip, _QUESTIONS)
    each_ms = 1e3 * (time.monotonic() - began_s) / len(_QUESTIONS)
    version = tuple(map(int, re.findall(r"\d+", answers[_VERSION].split("(")[0])))[:3]
    family = re.search(r"UR\d+", answers[_MODEL].upper())
    findings = []
    if version and family:
        model = family[0].lower() + ("e" if version[0] >= _E_SERIES else "")
        said = f"{model}, PolyScope {'.'.join(map(str, version))}"
        if model == config.model:
            findings.append(ok(said))
        else:
            fix = f"set arm.model to {model} if it is the right robot, else correct robot_ip"
            findings.append(problem(f"{said}, but arm.model is {config.model}", fix))
    else:
        findings.append(warning(f"does not say what it is: {answers[_MODEL]!r}, {answers[_VERSION]!r}",
                                "compare arm.model with the robot by eye"))  # fmt: skip
    if version >= _REMOTE_CONTROL and answers[_REMOTE].lower() != "true":
        findings.append(problem("it is in Local Control", REMOTE_CONTROL_ADVICE))
    if answers["programState"].startswith("PLAYING"):
        findings.append(
            warning(
                f"a program runs on it: {answers['programState']}",
                "our driver will end it; end that other driver or program first",
            )
        )
    if each_ms > _SLOW_MS:
        findings.append(
            warning(
                f"an answer takes {each_ms:.0f} ms", "use a cable, no Wi-Fi, no VPN; see network, machine"
            )
        )
    return findings


def _ask(robot_ip: str, questions: Iterable[str]) -> dict[str, str]:
    """Answers by question. Raises OSError, ValueError where it is no dashboard."""
    answers = {}
    with socket.create_connection((robot_ip, _DASHBOARD), timeout=_ANSWER_S) as connection:
        lines = connection.makefile("rb")
        greeting = lines.readline(1024)
        if b"Dashboard" not in greeting:
            raise ValueError(f"it greets with {greeting!r}")
        for question in questions:
            connection.sendall(f"{question}\n".encode())
            answer = lines.readline(1024)
            if not answer.endswith(b"\n"):
                raise ValueError(f"it answers {answer!r} to {question!r}")
            answers[question] = answer.decode(errors="replace").strip()
    return answers


def _state(config: UrArmConfig) -> list[Finding]:
    """The controller's state by the library that our driver uses, which only listens here."""
    try:
        client = UrClient(config.robot_ip, config.frequency_hz, config.request_timeout_s)
        try:
            open_receive(client, config.robot_ip, registers=False)
            now = client.snapshot()
            now.check_numbers()
        finally:
            client.kill()
    except (ArmError, ValueError) as error:
        return [problem(f"no state by RTDE: {error}", "see the text; restart the controller if it persists")]
    if now.state is not ArmState.RUNNING:
        text, _, fix = now.explain().partition(": ")
        return [problem(text, fix)] if "(" not in text else [problem(*_modes(now))]
    joints, place = (", ".join(f"{v:.3f}" for v in values) for values in (now.q_rad, now.tcp_pose[:3]))
    findings = [
        ok(f"robot mode: {now.mode_name}, safety mode: {now.safety_name}"),
        ok(f"it stands at joints [{joints}] rad, its TCP at ({place}) m"),
    ]
    if now.speed_scaling < 1.0:
        findings.append(
            warning(
                f"it moves at {now.speed_scaling:.0%} of its speed",
                "right for first moves; else turn up the speed slider on the pendant",
            )
        )
    return findings


def _modes(now: UrSnapshot) -> tuple[str, str]:
    """Text and fix of an explanation that names the modes in brackets."""
    text, _, fix = now.explain().partition("): ")
    return text + ")", fix


def _listed(ports: Iterable[int]) -> str:
    return ", ".join(map(str, ports))
