# SPDX-License-Identifier: Apache-2.0
"""The doctor at an emulated UR with its gripper and at a Rizon's API: each fault is named, nothing moves."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from rizon_rig import Rizon

from anygrasp_bringup.commands import doctor
from anygrasp_bringup.doctor.finding import Level
from anygrasp_bringup.doctor.flexiv_robot import check_flexiv
from anygrasp_bringup.doctor.gripper import check_robotiq
from anygrasp_bringup.doctor.ur_robot import check_ur
from anygrasp_sim.emulators.controller_process import UrControllerProcess
from robot_drivers.arms.flexiv_config import FlexivArmConfig
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.grippers.robotiq_config import RobotiqConfig

NETWORK = (
    f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}"  # sessions side by side do not meet
)
HOST, STRANGER, NOBODY = f"{NETWORK}.9", f"{NETWORK}.8", f"{NETWORK}.7"


@pytest.fixture(scope="module")
def controller() -> Iterator[UrControllerProcess]:
    with UrControllerProcess("ur5e", HOST) as controller:
        yield controller


def said(findings, level=Level.PROBLEM) -> str:
    """Texts and fixes of the findings of one level."""
    return "\n".join(f"{f.text} -> {f.fix}" for f in findings if f.level is level)


def ur(**values):
    return check_ur(UrArmConfig(robot_ip=HOST, **{"request_timeout_s": 20.0, **values}))


def gripper(**values):
    return check_robotiq(RobotiqConfig(robot_ip=HOST, **values))


def test_a_ready_robot_is_ok_and_is_only_asked(controller, capsys):
    def seen():
        tool, payload_kg = controller.ask("tool")
        commands = controller.ask("rtde_commands")
        return controller.ask("joint_positions").tolist(), tool.tolist(), payload_kg, commands

    before = seen()
    code = doctor.main(["--robot-ip", HOST, "--only", "robot", "gripper", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == report["exit_code"] == 0
    assert [check["name"] for check in report["checks"]] == ["robot", "gripper"]
    assert {check["level"] for check in report["checks"]} == {"ok"}
    texts = [finding["text"] for check in report["checks"] for finding in check["findings"]]
    assert any("ur5e, PolyScope 5.11.0" in text for text in texts)
    assert any("safety mode: normal" in text for text in texts)
    assert any("stands at joints [" in text for text in texts)
    assert any("not activated" in text for text in texts)
    assert seen() == before


def test_local_control_is_named_with_the_ports_that_it_closes(controller):
    controller.ask("remote_control", False)
    try:
        assert "Local Control -> switch it to Remote Control" in said(ur())
    finally:
        controller.ask("remote_control", True)


def test_another_model_than_configured_is_named(controller):
    assert "ur5e, PolyScope 5.11.0, but arm.model is ur5 -> set arm.model to ur5e" in said(ur(model="ur5"))


def test_a_slow_speed_slider_is_a_warning(controller):
    controller.ask("set_speed_slider", 0.1)
    try:
        findings = ur()
    finally:
        controller.ask("set_speed_slider", 1.0)
    assert "10% of its speed" in said(findings, Level.WARNING)
    assert said(findings) == ""


def test_stops_are_explained(controller):
    controller.ask("protective_stop")
    assert "protective stop" in said(ur())
    controller.ask("emergency_stop")
    assert "emergency stop is pressed -> release the button" in said(ur())
    controller.ask("release_emergency_stop")
    assert "robot mode: power off, safety mode: normal) -> power the arm on" in said(ur())


def test_a_silent_controller_ends_in_time(controller):
    controller.freeze()
    try:
        problems = said(ur(request_timeout_s=1.0))
    finally:
        controller.thaw()
    assert "no dashboard answers" in problems
    assert "did not answer within 1 s" in problems


@pytest.mark.parametrize("transport", ["urcap", "modbus_tcp"])
def test_gripper_faults_are_explained(controller, transport):
    assert "answers at" in said(gripper(transport=transport), Level.OK)
    controller.ask("gripper_fault", 10)
    assert "fault 10 -> its supply voltage is too low" in said(gripper(transport=transport))
    controller.ask("gripper_fault", 0)


def test_a_mute_gripper_ends_in_time(controller):
    controller.ask("mute_gripper", True)
    try:
        assert "did not answer" in said(gripper(answer_timeout_s=0.2))
    finally:
        controller.ask("mute_gripper", False)


def test_a_gripper_on_a_serial_port_is_found_and_a_missing_port_is_explained(controller):
    port = controller.ask("open_serial_port")
    assert port in said(gripper(transport="modbus_serial", device=port), Level.OK)
    assert "dialout" in said(gripper(transport="modbus_serial", device="/dev/none"))


def test_nobody_and_strangers_are_told_from_a_controller():
    assert "no UR controller -> check robot_ip" in said(check_ur(UrArmConfig(robot_ip=NOBODY)))
    ports = (29999, 30002, 30003, 30004)
    servers = [socket.create_server((STRANGER, port)) for port in ports]
    greeter = threading.Thread(target=lambda: _greet(servers[0], b"220 mail.example ESMTP\r\n"))
    greeter.start()
    try:
        problems = said(check_ur(UrArmConfig(robot_ip=STRANGER, request_timeout_s=1.0)))
    finally:
        for server in servers:
            server.close()
        greeter.join()
    assert "no dashboard answers: it greets with b'220 mail" in problems
    assert "no state by RTDE" in problems


def _greet(server, text):
    for _ in range(2):  # the port's check, and the dialogue
        connection, _ = server.accept()
        with connection:
            connection.sendall(text)


def test_ports_closed_by_the_firewall_are_named_and_the_rest_is_still_asked(controller):
    controller.ask("close_scripts")  # for good: the last test at this controller
    findings = ur()
    assert "refuses port 30002, 30003 (programs)" in said(findings)
    assert "Inbound Access" in said(findings)
    assert "PolyScope" in said(findings, Level.OK)


# Flexiv

RIZON = FlexivArmConfig(serial_number="Rizon4-062016", network_interfaces=("127.0.0.1",))


def test_a_rizon_is_neither_enabled_nor_moved():
    rizon = Rizon()
    q = rizon.q.copy()
    findings = check_flexiv(RIZON, rizon.module)
    assert said(findings) == ""
    assert "not enabled, which the driver does" in said(findings, Level.OK)
    assert rizon.status == "NOT_ENABLED"
    np.testing.assert_array_equal(rizon.q, q)
    methods = {call.method for call in rizon.module.calls}
    reading = {"connected", "estop_released", "fault", "operational", "operational_status", "states"}
    assert methods <= {"__init__"} | reading


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda rizon: setattr(rizon, "reachable_from_network", False), "no Rizon4-062016 answers"),
        (lambda rizon: setattr(rizon, "estop", True), "emergency stop is pressed"),
        (lambda rizon: rizon.fault_now(), "fault (MINOR_FAULT) -> look at the cause"),
        (lambda rizon: setattr(rizon, "status", "IN_MANUAL_MODE"), "(IN_MANUAL_MODE) -> switch it to AUTO"),
    ],
)
def test_faults_of_a_rizon_are_explained(fault, words):
    rizon = Rizon()
    fault(rizon)
    assert words in said(check_flexiv(RIZON, rizon.module))


def test_the_placeholder_of_a_serial_number_is_no_robot():
    assert "--serial-number" in said(check_flexiv(FlexivArmConfig()))
