# SPDX-License-Identifier: Apache-2.0
"""What every Gripper promises: Robotiq by URCap, Modbus and in lock-step, and one without hardware."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from anygrasp_sim.emulators.controller_process import UrControllerProcess
from anygrasp_sim.emulators.robot_backend import KinematicBackend
from robot_drivers.grippers.gripper import Gripper, GripperError, GripperLost, GripperState, GripperTimeout
from robot_drivers.grippers.kinematic import KinematicGripper
from robot_drivers.grippers.robotiq_config import RobotiqConfig
from robot_drivers.grippers.robotiq_modbus import make_robotiq
from robot_drivers.lockstep.gripper import lockstep_gripper
from robot_drivers.lockstep.robot import LockstepRobot

HOST = f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}.7"
CONFIG = RobotiqConfig(robot_ip=HOST, answer_timeout_s=0.5, move_timeout_s=6.0)
FAST = {"speed": 1.0, "force": 0.5}
SPEED = 3.0  # of the motion against the clock
OPEN_M = 0.085
COUNT_M = OPEN_M / 227  # of a position count


@dataclass
class Setup:
    """A gripper under test; `place` puts an object of a width between its fingers, None takes it away."""

    gripper: Gripper
    place: Callable[[float | None], None]
    emulator: UrControllerProcess | None


@pytest.fixture(scope="module", params=["urcap", "modbus_tcp", "modbus_serial", "kinematic", "lockstep"])
def setup(request) -> Iterator[Setup]:
    if request.param == "kinematic":
        with KinematicGripper(time_scale=1.0 / SPEED) as gripper:
            yield Setup(gripper, lambda width_m: setattr(gripper, "object_width_m", width_m), None)
    elif request.param == "lockstep":
        pace, backend = threading.Event(), KinematicBackend()  # at a pace at which others can watch
        robot = LockstepRobot(backend, on_tick=lambda: pace.wait(0.008 / SPEED))
        with lockstep_gripper(robot, CONFIG) as gripper:

            def put(width_m: float | None) -> None:
                backend.object_at = None if width_m is None else 1.0 - width_m / OPEN_M

            yield Setup(gripper, put, None)
    else:
        with UrControllerProcess("ur5e", HOST, speed=SPEED) as emulator:
            device = emulator.ask("open_serial_port") if request.param == "modbus_serial" else ""
            gripper = make_robotiq(replace(CONFIG, transport=request.param, device=device))

            def place(width_m: float | None) -> None:
                emulator.place_object(None if width_m is None else 1.0 - width_m / OPEN_M)

            with gripper:
                yield Setup(gripper, place, emulator)


@pytest.fixture
def gripper(setup) -> Gripper:
    """The gripper, active and open, with nothing between its fingers."""
    setup.place(None)
    setup.gripper.connect()
    setup.gripper.activate()
    setup.gripper.move(OPEN_M, **FAST)
    return setup.gripper


@pytest.fixture
def robotiq(gripper, setup) -> tuple[Gripper, UrControllerProcess]:
    assert setup.emulator is not None
    return gripper, setup.emulator


of_the_robotiq = pytest.mark.parametrize("setup", ["urcap", "modbus_tcp", "modbus_serial"], indirect=True)
over_tcp = pytest.mark.parametrize("setup", ["urcap", "modbus_tcp"], indirect=True)


def test_a_gripper_that_was_never_activated_says_so():
    gripper = KinematicGripper()
    gripper.connect()
    with pytest.raises(GripperError, match="activate"):
        gripper.move(0.0, **FAST)


@pytest.mark.parametrize("width_m", [0.06, 0.02, 0.0, 0.085])
def test_the_fingers_go_to_the_width(gripper, width_m):
    state = gripper.move(width_m, **FAST)
    assert state.width_m == pytest.approx(width_m, abs=COUNT_M)
    assert (state.object_detected, state.moving) == (False, False)
    assert gripper.state() == state


def test_a_repeated_request_ends(gripper):
    gripper.move(0.04, **FAST)
    assert gripper.move(0.04, **FAST).width_m == pytest.approx(0.04, abs=COUNT_M)


def test_contact_with_an_object_ends_the_motion(gripper, setup):
    setup.place(0.03)
    state = gripper.move(0.0, **FAST)
    assert state.width_m == pytest.approx(0.03, abs=COUNT_M)
    assert (state.object_detected, state.moving) == (True, False)
    assert gripper.state().object_detected


def test_a_low_speed_takes_longer(gripper):
    begin_s = time.monotonic()
    gripper.move(0.06, **FAST)
    fast_s = time.monotonic() - begin_s
    begin_s = time.monotonic()
    gripper.move(0.035, speed=0.0, force=0.5)
    assert time.monotonic() - begin_s > 2.0 * fast_s


def test_opening_lets_the_object_go(gripper, setup):
    setup.place(0.03)
    gripper.move(0.0, **FAST)
    state = gripper.move(0.06, **FAST)
    assert state == GripperState(state.width_m, object_detected=False, moving=False)
    assert state.width_m == pytest.approx(0.06, abs=COUNT_M)


def test_stop_halts_the_fingers_on_their_way(gripper):
    states: list[GripperState] = []
    mover = threading.Thread(target=lambda: states.append(gripper.move(0.0, speed=0.0, force=0.5)))
    mover.start()
    pause = threading.Event()
    while not 0.05 < gripper.state().width_m < 0.08:
        pause.wait(0.005)
    gripper.stop()
    mover.join(2.0)
    (state,) = states
    assert (state.object_detected, state.moving) == (False, False)
    pause.wait(0.1)
    width_m = gripper.state().width_m
    assert 0.02 < width_m < 0.08
    pause.wait(0.2)
    assert gripper.state().width_m == width_m
    assert gripper.move(0.0, **FAST).width_m == pytest.approx(0.0, abs=COUNT_M)


@pytest.mark.parametrize("width_m", [-0.001, 0.09, float("nan")])
def test_a_width_out_of_range_is_refused_with_the_range(gripper, width_m):
    with pytest.raises(ValueError, match=r"0\.085"):
        gripper.move(width_m, **FAST)


@pytest.mark.parametrize(("speed", "force"), [(1.1, 0.5), (0.5, -0.1)])
def test_speed_and_force_out_of_range_are_refused(gripper, speed, force):
    with pytest.raises(ValueError, match="0 to 1"):
        gripper.move(0.05, speed=speed, force=force)


def test_a_closed_gripper_says_that_it_must_be_connected(gripper):
    gripper.close()
    for request in (gripper.state, gripper.activate, gripper.stop, lambda: gripper.move(0.0, **FAST)):
        with pytest.raises(GripperLost, match="connect"):
            request()
    gripper.close()


# Only of the Robotiq


@of_the_robotiq
def test_an_active_gripper_is_not_activated_again(robotiq):
    gripper, emulator = robotiq
    begin_s = emulator.ask("time_s")
    gripper.activate()
    assert emulator.ask("time_s") - begin_s < 0.5
    assert gripper.state().width_m == pytest.approx(OPEN_M)


@of_the_robotiq
def test_a_gripper_that_does_not_answer_is_timed_out_and_lost(robotiq):
    gripper, emulator = robotiq
    emulator.ask("mute_gripper", True)
    try:
        begin_s = time.monotonic()
        with pytest.raises(GripperTimeout, match=r"did not answer.*0\.5 s"):
            gripper.move(0.0, **FAST)
        assert time.monotonic() - begin_s < 2.0
        with pytest.raises(GripperLost, match="connect"):
            gripper.state()
    finally:
        emulator.ask("mute_gripper", False)
    gripper.connect()
    assert gripper.state().width_m == pytest.approx(OPEN_M)


@over_tcp
def test_a_gripper_that_does_not_finish_is_timed_out(robotiq):
    gripper, _ = robotiq
    impatient = make_robotiq(replace(gripper.config, move_timeout_s=0.3))
    with impatient, pytest.raises(GripperTimeout, match=r"move to 0\.000 m within"):
        impatient.move(0.0, speed=0.0, force=0.5)


@of_the_robotiq
def test_a_fault_is_explained_and_a_new_activation_clears_it(robotiq):
    gripper, emulator = robotiq
    emulator.ask("gripper_fault", 14)
    with pytest.raises(GripperError, match=r"fault 14.*overcurrent.*activate"):
        gripper.move(0.0, **FAST)
    gripper.activate()
    assert gripper.move(0.04, **FAST).width_m == pytest.approx(0.04, abs=COUNT_M)


@of_the_robotiq
def test_the_stroke_of_the_fingers_is_measured_in_counts(robotiq):
    gripper, _ = robotiq
    assert gripper.measure_stroke() == (CONFIG.open_count, CONFIG.closed_count)


@of_the_robotiq
def test_force_is_told_in_newtons_too(robotiq):
    assert robotiq[0].force_range_n == (20.0, 235.0)


@over_tcp
def test_a_broken_connection_is_lost(robotiq):
    gripper, emulator = robotiq
    emulator.ask("drop_connections")
    with pytest.raises(GripperLost, match="connect"):
        gripper.move(0.0, **FAST)


@pytest.mark.parametrize(
    ("transport", "message"),
    [
        ("urcap", r"\.8:63352.*URCap"),
        ("modbus_tcp", r"\.8:54321.*RS485"),
        ("modbus_serial", r"/nowhere.*dialout"),
    ],
)
def test_an_address_without_a_gripper_is_named(transport, message):
    host = HOST.rsplit(".", 1)[0] + ".8"
    gripper = make_robotiq(RobotiqConfig(transport=transport, robot_ip=host, device="/nowhere"))
    with pytest.raises(GripperLost, match=message):
        gripper.connect()


@pytest.mark.parametrize(
    "values",
    [
        {"open_width_m": 0.0},
        {"open_count": 230, "closed_count": 3},
        {"closed_count": 256},
        {"answer_timeout_s": 0.0},
        {"move_timeout_s": -1.0},
        {"activation_timeout_s": float("nan")},
        {"transport": "telepathy"},
        {"modbus_address": 0},
        {"min_force_n": 300.0},
    ],
)
def test_wrong_settings_are_refused_by_name(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        RobotiqConfig(**values)
