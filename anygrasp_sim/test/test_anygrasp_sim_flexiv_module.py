# SPDX-License-Identifier: Apache-2.0
"""The stand-in takes what flexivrdk 1.9.1 takes, nothing else; compared with the real one where it is."""

from __future__ import annotations

from enum import Enum

import numpy as np
import pytest

from anygrasp_sim.emulators.flexiv_api import load_flexiv_api, parse_stub
from anygrasp_sim.emulators.flexiv_dump import stub_lines
from anygrasp_sim.emulators.flexiv_module import FlexivModule

POSE = [0.5, 0.0, 0.3, 0.0, 0.0, 1.0, 0.0]


class Answers:
    """A robot that does nothing, and a gripper on it."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.sent: list[tuple[object, ...]] = []
        self.module: FlexivModule

    def SendCartesianMotionForce(self, *arguments: object) -> None:
        self.sent.append(arguments)

    def SwitchMode(self, mode: object) -> None:
        self.sent.append((mode,))

    def Move(self, *arguments: float) -> None:
        self.sent.append(arguments)

    def connected(self) -> str:
        return "yes"

    def states(self) -> object:
        return self.module.RobotStates()


@pytest.fixture
def flexivrdk() -> FlexivModule:
    return FlexivModule({"Robot": Answers, "Gripper": Answers})


@pytest.fixture
def robot(flexivrdk):
    return flexivrdk.Robot("Rizon4-123456")


def test_a_call_arrives_with_its_defaults_and_is_recorded(flexivrdk, robot):
    robot.SendCartesianMotionForce(POSE, max_linear_vel=0.2)
    (sent,) = robot._answers.sent
    assert sent == (POSE, [0.0] * 6, [0.0] * 6, 0.2, 1.0, 2.0, 5.0)
    (call,) = flexivrdk.calls_of("SendCartesianMotionForce")
    assert call.class_name == "Robot"
    assert call.arguments["max_linear_vel"] == 0.2


def test_a_gripper_is_made_with_its_robot(flexivrdk, robot):
    gripper = flexivrdk.Gripper(robot)
    assert gripper._answers.arguments == (robot._answers,)
    gripper.Move(0.05, 0.1, 20)
    assert gripper._answers.sent == [(0.05, 0.1, 20)]


@pytest.mark.parametrize(
    ("method", "arguments", "named"),
    [
        ("SendCartesianMotionForce", (POSE[:6],), {}),  # six numbers for a pose
        ("SendCartesianMotionForce", ([*POSE[:6], "0"],), {}),
        ("SendCartesianMotionForce", (), {}),
        ("SendCartesianMotionForce", (POSE,), {"max_speed": 1.0}),
        ("SendCartesianMotionForce", (np.eye(7),), {}),
        ("SwitchMode", (10,), {}),
        ("SwitchMode", ("IDLE",), {}),
        ("Stop", (1,), {}),
        ("ClearFault", (1.5,), {}),
        ("Brake", (1,), {}),
        ("Brake", (), {"arg0": True}),  # an argument without a name
    ],
)
def test_a_wrong_argument_is_a_type_error(robot, method, arguments, named):
    with pytest.raises(TypeError, match=f"flexivrdk.Robot.{method}"):
        getattr(robot, method)(*arguments, **named)


def test_numpy_numbers_and_arrays_pass_as_in_pybind11(robot):
    robot.SendCartesianMotionForce(np.array(POSE), max_linear_vel=np.float32(0.5))


def test_names_of_other_versions_are_attribute_errors(flexivrdk, robot):
    with pytest.raises(AttributeError, match="isFault"):
        robot.isFault()
    with pytest.raises(AttributeError, match="JointGroup"):  # flexivrdk 2.x
        _ = flexivrdk.JointGroup
    with pytest.raises(AttributeError, match="RT_CARTESIAN_MOTION_FORCE"):
        _ = flexivrdk.Mode.RT_CARTESIAN_MOTION_FORCE
    with pytest.raises(ValueError, match="Robott"):
        FlexivModule({"Robott": Answers})


def test_enums_are_the_modules_own(flexivrdk, robot):
    assert flexivrdk.Mode.NRT_CARTESIAN_MOTION_FORCE.value == 10
    assert flexivrdk.NRT_CARTESIAN_MOTION_FORCE is flexivrdk.Mode.NRT_CARTESIAN_MOTION_FORCE
    robot.SwitchMode(flexivrdk.Mode.IDLE)
    with pytest.raises(TypeError, match="SwitchMode"):
        robot.SwitchMode(flexivrdk.OperationalStatus.READY)


def test_an_answer_of_the_wrong_type_or_none_at_all_is_found(flexivrdk, robot):
    with pytest.raises(TypeError, match="no bool"):
        robot.connected()
    with pytest.raises(NotImplementedError, match="nobody answers"):
        robot.fault()
    with pytest.raises(NotImplementedError, match="nobody answers"):
        flexivrdk.Tool(robot)


def test_structs_have_the_modules_fields_and_types(flexivrdk, robot):
    robot._answers.module = flexivrdk
    assert robot.states().tcp_pose == [0.0] * 7
    states = flexivrdk.RobotStates()
    states.q = [0.0] * 7
    with pytest.raises(AttributeError, match="tcpPose"):
        states.tcpPose = POSE
    with pytest.raises(TypeError, match="tcp_pose"):
        states.tcp_pose = POSE[:6]
    event = flexivrdk.RobotEvent()
    assert isinstance(event.level, Enum)
    assert flexivrdk.JPos([0.1] * 7).q_m == [0.1] * 7


def test_the_stub_says_what_the_installed_module_says():
    """Where flexivrdk has a wheel (3.10, 3.12): the stub is not out of date, and not our imagination."""
    flexivrdk = pytest.importorskip("flexivrdk", exc_type=ImportError)
    if flexivrdk.__version__ != "1.9.1":
        pytest.skip(f"flexivrdk {flexivrdk.__version__} is installed; the stub is of 1.9.1")
    real, ours = parse_stub("\n".join(stub_lines(flexivrdk))), load_flexiv_api()
    assert sorted(real.classes) == sorted(ours.classes)
    for name, spec in real.classes.items():
        assert spec.members == ours.classes[name].members
        assert sorted(spec.fields) == sorted(ours.classes[name].fields)
        for method, signatures in spec.methods.items():
            for one, other in zip(signatures, ours.classes[name].methods[method], strict=True):
                assert list(one.parameters) == list(other.parameters)
                for argument in one.parameters:
                    assert one.parameters[argument].default == other.parameters[argument].default
                    assert one.parameters[argument].kind == other.parameters[argument].kind
