# SPDX-License-Identifier: Apache-2.0
"""The doctor on this machine and on folders that look like others: what it asks for, finds and advises."""

import grp
import json
import os
import signal
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from anygrasp_bringup.commands import doctor
from anygrasp_bringup.dataclass_parameters import ConfigError
from anygrasp_bringup.doctor import network
from anygrasp_bringup.doctor.calibration import check_calibration_file
from anygrasp_bringup.doctor.checks import CHECKS
from anygrasp_bringup.doctor.dds import judge
from anygrasp_bringup.doctor.finding import Level, Outcome, ok, problem, warning
from anygrasp_bringup.doctor.isolation import run_check
from anygrasp_bringup.doctor.libraries import check_imports, check_versions
from anygrasp_bringup.doctor.machine import check_machine
from anygrasp_bringup.doctor.permissions import check_realsense, check_serial
from anygrasp_bringup.doctor.report import as_json, as_text, exit_code, summary
from anygrasp_bringup.doctor.settings import read_settings
from anygrasp_bringup.doctor.shared_memory import check_shared_memory
from anygrasp_bringup.doctor.weights import check as check_weights

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"


def said(findings, level=Level.PROBLEM) -> str:
    """Texts and fixes of the findings of one level."""
    return "\n".join(f"{f.text} -> {f.fix}" for f in findings if f.level is level)


def as_nobody(findings_of) -> str:
    """Texts of the problems and warnings that a user without rights gets; root would get none."""
    if os.geteuid() != 0:
        findings = findings_of()
        return said(findings) + said(findings, Level.WARNING)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        findings = findings_of()
        os.write(writing, (said(findings) + said(findings, Level.WARNING)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


@pytest.fixture
def root():
    """A folder that everybody may read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


# What is asked for


def test_without_options_no_device_is_asked_for():
    settings = read_settings()
    assert settings.asked == frozenset()
    assert settings.calibration.resolve() == CONFIG / "calibration.yaml"
    assert settings.region_min_m == (-0.17, -0.67, 0.008)


def test_address_asks_for_robot_and_gripper_there():
    settings = read_settings(robot_ip="10.0.0.2")
    assert settings.asked == {"robot", "gripper"}
    assert settings.ur.robot_ip == settings.gripper.robot_ip == "10.0.0.2"


def test_file_asks_for_what_it_names(tmp_path):
    path = tmp_path / "cell.yaml"
    path.write_text(
        "/**/bin_picking: {ros__parameters: {arm: {robot_ip: 10.0.0.3}, gripper: {transport: modbus_tcp}}}\n"
        "/**/camera: {ros__parameters: {realsense: {serial: '123'}, optical_xyz_m: [0.0, 0.0, 1.0]}}\n"
    )
    settings = read_settings(path)
    assert settings.asked == {"robot", "gripper", "camera", "calibration"}
    assert (settings.ur.robot_ip, settings.gripper.transport) == ("10.0.0.3", "modbus_tcp")
    assert settings.camera.serial == "123"
    assert settings.calibration == path


def test_flexiv_s_file_and_serial_number_mean_a_flexiv():
    settings = read_settings(CONFIG / "fish_catching.yaml", serial_number="Rizon4-062016")
    assert settings.asked == {"robot", "gripper", "camera", "calibration"}
    assert settings.flexiv.serial_number == "Rizon4-062016"
    assert settings.flexiv.tcp_offset_m == (0.0, 0.0, 0.26)
    assert settings.calibration == CONFIG / "fish_catching.yaml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/**/bin_picking: {ros__parameters: {arm: {robot_ipp: x}}}", "did you mean 'arm.robot_ip'"),
        ("/**/bin_picking: {ros__parameters: {gripper: {transport: pigeon}}}", "pigeon"),
        ("[1, 2]", "no sections"),
        ("a: [", "no YAML"),
    ],
)
def test_wrong_file_ends_with_code_2_and_the_reason(text, words, tmp_path, capsys):
    path = tmp_path / "cell.yaml"
    path.write_text(text)
    assert doctor.main(["--config", str(path)]) == 2
    assert words in capsys.readouterr().err


def test_missing_file_and_bad_serial_number_are_refused():
    with pytest.raises(ConfigError, match="cannot read none"):
        read_settings(Path("none.yaml"))
    with pytest.raises(ConfigError, match="as on the robot"):
        read_settings(serial_number="?")


@pytest.mark.parametrize("words", [["--only", "nobody"], ["--robot-ip", "1", "--serial-number", "2"]])
def test_wrong_option_ends_with_code_2(words):
    with pytest.raises(SystemExit) as end:
        doctor.parse(words)
    assert end.value.code == 2


def test_help_names_every_check(capsys):
    with pytest.raises(SystemExit):
        doctor.parse(["--help"])
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in CHECKS)


# What is said


def test_only_what_was_asked_for_makes_the_exit_code():
    missing = Outcome("camera", False, (problem("no camera", "plug it in"), ok("driver")))
    assert missing.as_far_as_asked().level is Level.WARNING
    assert replace(missing, asked=True).as_far_as_asked().level is Level.PROBLEM
    assert exit_code([missing.as_far_as_asked()]) == 0
    assert exit_code([missing]) == 1


def test_report_shows_findings_with_their_fixes_and_counts_them():
    outcome = Outcome("network", True, (warning("slow " * 30, "use a cable"), ok("lo")), 0.5)
    text = as_text(outcome)
    assert text.startswith("warning  network        slow slow")
    assert max(map(len, text.splitlines())) <= 110
    assert "-> use a cable" in text
    assert summary([outcome]) == "0 problems, 1 warning; nothing was moved"
    (check,) = json.loads(as_json([outcome]))["checks"]
    assert (check["name"], check["level"], check["asked"]) == ("network", "warning", True)
    assert check["findings"][1] == {"level": "ok", "text": "lo", "fix": ""}


# Checks end, whatever happens in them


def test_check_that_takes_too_long_ends_in_time():
    outcome = run_check("network", read_settings(), limit_s=0.01)
    assert "no result within" in said(outcome.findings)
    assert "--only network" in said(outcome.findings)


def test_check_that_crashes_is_a_problem():
    running = set()
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(run_check("dds", read_settings(), running)))
    thread.start()
    while not running:
        assert thread.is_alive()
    os.kill(next(iter(running)).pid, signal.SIGSEGV)
    thread.join()
    assert "SIGSEGV" in said(outcomes[0].findings)


def test_error_in_a_check_is_a_problem_of_that_check():
    outcome = run_check("calibration", replace(read_settings(only=("calibration",)), calibration=None))
    assert "AttributeError" in said(outcome.findings)


# The machine


def test_this_machine_has_what_was_installed():
    findings = [*check_versions(ROOT / "requirements"), *check_imports({"numpy": "everything"})]
    assert said(findings) == ""
    assert "libraries as tested" in said(findings, Level.OK)


def test_missing_other_and_broken_libraries_are_named(tmp_path, monkeypatch):
    lines = {
        "constraints": "numpy==1.0\nno-such-thing==2.0\nnever==1 ; python_version < '3.0'\npyyaml==6.0.3",
        "runtime": "# what is imported\nnumpy\nno_such_thing  # gone\nPyYAML\nnever ; python_version < '3.0'",
    }
    for name in ("constraints", "runtime", "training", "development", "ros2_wheels"):
        (tmp_path / f"{name}.txt").write_text(lines.get(name, ""))
    findings = check_versions(tmp_path)
    assert "not installed: no-such-thing -> ./run setup" in said(findings)
    assert "numpy" in said(findings, Level.WARNING)
    assert "(tested: 1.0)" in said(findings, Level.WARNING)
    assert "1 of 3" in said(findings, Level.OK)
    (tmp_path / "half_installed.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "the system package with libGL.so.1" in said(check_imports({"half_installed": "pictures"}))


def test_a_slow_full_busy_machine_is_warned_of(tmp_path):
    (tmp_path / "cpuinfo").write_text("model name : Old One\nflags : sse2 avx fma\n")
    (tmp_path / "meminfo").write_text("MemTotal: 8388608 kB\nMemAvailable: 524288 kB\n")
    warnings = said(check_machine(tmp_path, cores=2, load=5.0), Level.WARNING)
    assert "Old One has no avx2, f16c" in warnings
    assert "2 usable cores" in warnings
    assert "load 5.0 on 2 cores" in warnings
    assert "0.5 of 8 GiB" in warnings


def test_full_shared_memory_is_a_problem_with_its_fix(monkeypatch, tmp_path):
    profile = tmp_path / "profile.xml"
    profile.write_text(f"<segment_size>{1 << 50}</segment_size>")
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", str(profile))
    monkeypatch.delenv("RMW_IMPLEMENTATION", raising=False)
    problems = said(check_shared_memory(tmp_path))
    assert "MiB of shared memory" in problems
    assert "remount,size=1G" in problems
    assert "cannot be used" in said(check_shared_memory(tmp_path / "none"))
    profile.write_text("<segment_size>1</segment_size>")
    assert said(check_shared_memory(tmp_path)) == ""


# Permissions, on a file system of our own


def usb_camera(root: Path) -> Path:
    folder = root / "sys/bus/usb/devices/2-1"
    folder.mkdir(parents=True)
    texts = {"idVendor": "8086", "product": "Intel(R) RealSense(TM) D435", "busnum": "2", "devnum": "5"}
    for name, text in texts.items():
        (folder / name).write_text(f"{text}\n")
    node = root / "dev/bus/usb/002/005"
    node.parent.mkdir(parents=True)
    node.touch()
    return node


def test_camera_without_permission_is_a_problem(root):
    usb_camera(root).chmod(0o000)
    problems = as_nobody(lambda: check_realsense(root))
    assert "D435" in problems
    assert "99-realsense-libusb.rules" in problems


def test_camera_that_may_be_opened_and_rules_are_ok(tmp_path):
    usb_camera(tmp_path)
    rules = tmp_path / "etc/udev/rules.d"
    rules.mkdir(parents=True)
    (rules / "99-realsense-libusb.rules").touch()
    assert "99-realsense-libusb.rules" in said(check_realsense(tmp_path), Level.OK)


def test_missing_serial_port_names_those_that_are_there(tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/ttyACM0").touch()
    assert "no serial port /dev/ttyUSB0; there are: /dev/ttyACM0" in said(
        check_serial(tmp_path, "/dev/ttyUSB0")
    )
    assert "ttyACM0 may be opened" in said(check_serial(tmp_path, "/dev/ttyACM0"), Level.OK)


@pytest.mark.parametrize("device", ["/dev/ttyUSB0", ""])
def test_closed_serial_port_names_its_group(device, root):
    (root / "dev").mkdir()
    port = root / "dev/ttyUSB0"
    port.touch()
    port.chmod(0o000)
    group = grp.getgrgid(port.stat().st_gid).gr_name
    assert f"usermod -aG {group}" in as_nobody(lambda: check_serial(root, device))


# Network


def test_loopback_of_this_machine_works():
    assert network.loopback().level is Level.OK


def test_multicast_over_an_address_that_is_not_ours_is_warned_of():
    finding = network.multicast("192.0.2.77")
    assert finding.level is Level.WARNING
    assert "239.255.0.0/16" in finding.fix


@pytest.mark.parametrize(
    ("variables", "level", "word"),
    [
        ({}, Level.OK, "this machine only"),
        ({"ROS_DOMAIN_ID": "200"}, Level.PROBLEM, "0 to 101"),
        ({"ROS_DOMAIN_ID": "lab"}, Level.PROBLEM, "lab"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, Level.WARNING, "docs/safety.md"),
        ({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, Level.WARNING, "Fast DDS"),
    ],
)
def test_ros_variables_are_judged(variables, level, word):
    assert word in said(network.check_ros_variables(variables), level)


def test_way_to_the_robot(tmp_path):
    assert "on this machine" in said(network.way_to("127.0.0.1"), Level.OK)
    assert "no way to the robot" in said(network.way_to("robot.invalid"))


def test_wifi_a_router_and_a_slow_port_are_warned_of(tmp_path, monkeypatch):
    addresses = {"wlan0": ("127.0.0.1", network.ipaddress.IPv4Network("10.0.0.0/24"))}
    monkeypatch.setattr(network, "_addresses", lambda: addresses)
    (tmp_path / "wlan0/wireless").mkdir(parents=True)
    (tmp_path / "wlan0/speed").write_text("10\n")
    warnings = said(network.judge_way("10.1.0.5", "127.0.0.1", tmp_path), Level.WARNING)
    assert "Wi-Fi (wlan0)" in warnings
    assert "behind a router" in warnings
    assert "10 Mbit/s" in warnings


@pytest.mark.parametrize(
    ("exchange", "level", "word"),
    [
        ((20, 1, 0.4), Level.OK, "20 images"),
        ((12, 8, 0.4), Level.WARNING, "12 of 20"),
        ((0, 0, None), Level.PROBLEM, "did not hear each other"),
    ],
)
def test_an_exchange_of_images_is_judged(exchange, level, word):
    assert word in said(judge(*exchange), level)


def test_two_processes_of_this_machine_exchange_images():
    from anygrasp_bringup.nodes.dds_probe import exchange_images

    exchange = exchange_images(3, timeout_s=60.0)
    assert exchange.received == 3
    assert exchange.found_s is not None


# Weights and calibration


def test_weights_that_ship_load_and_broken_ones_are_a_problem_where_they_are_used(tmp_path):
    settings = read_settings()
    assert "loads: 3.0 million" in said(check_weights(settings), Level.OK)
    broken = tmp_path / "w.safetensors"
    broken.write_bytes(b"nothing")
    used = replace(settings, detector="network", weights=str(broken))
    assert "w.safetensors" in said(check_weights(used))
    assert said(check_weights(replace(used, detector="geometric"))) == ""
    assert "no detector 'eye'" in said(check_weights(replace(settings, detector="eye")))


MEASURED = """\
# Pose of the camera, eye-to-hand, by ./run calibrate from 15 views of
# a ChArUco board, on 2026-11-01.
# Reprojection 0.21 px; consistency 0.41 mm, 0.05 deg;
# standard error 0.11 mm, 0.021 deg. See docs/calibration.md
/**/camera:
  ros__parameters:
    mount_frame: base
    optical_xyz_m: [0.02, -0.48, 0.76]
    optical_quat_xyzw: [1.0, 0.0, 0.0, 0.0]
"""
REGION = ((-0.17, -0.67, 0.008), (0.17, -0.33, 0.25))
NOVEMBER_26 = 1_795_694_400.0


def calibration(tmp_path, *changes):
    text = MEASURED
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "calibration.yaml"
    path.write_text(text)
    return check_calibration_file(path, *REGION, NOVEMBER_26)


def test_a_measured_calibration_is_ok(tmp_path):
    findings = calibration(tmp_path)
    assert {finding.level for finding in findings} == {Level.OK}
    assert "consistency 0.41 mm, 0.05 deg" in said(findings, Level.OK)
    assert "measured 25 days ago, on 2026-11-01" in said(findings, Level.OK)


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        (("2026-11-01", "2026-05-01"), Level.WARNING, "209 days ago"),
        (("0.41 mm", "2.30 mm"), Level.WARNING, "consistency 2.30"),
        (("[1.0, 0.0, 0.0, 0.0]", "[0.0, 0.0, 0.0, 1.0]"), Level.PROBLEM, "177 deg aside"),
        (("[0.02, -0.48, 0.76]", "[20.0, -480.0, 760.0]"), Level.PROBLEM, "metres, not millimetres?"),
        (("mount_frame: base", "mount_frame: tool0"), Level.PROBLEM, "from the robot's flange"),
        (("by ./run calibrate", "by eye"), Level.PROBLEM, "was not measured"),
        (("optical_xyz_m", "xyz"), Level.PROBLEM, "is no calibration"),
    ],
)
def test_a_calibration_that_is_old_bad_or_absurd_is_told(change, level, words, tmp_path):
    assert words in said(calibration(tmp_path, change), level)


def test_the_calibration_that_ships_is_not_measured():
    findings = check_calibration_file(CONFIG / "calibration.yaml", *REGION, NOVEMBER_26)
    assert "was not measured" in said(findings)


def test_a_calibration_of_ours_says_how_good_and_old_it_is(tmp_path):
    import numpy as np

    from anygrasp_perception.calibration.calibration_file import save_calibration
    from anygrasp_perception.calibration.solution import calibrate
    from anygrasp_perception.calibration.synthetic_cell import random_cell
    from anygrasp_perception.calibration.views import Setup

    cell = random_cell(Setup.EYE_TO_HAND, 1)
    views = cell.projected_views(15, np.random.default_rng(1))
    found = calibrate(cell.board, cell.intrinsics, cell.setup, views)
    path = tmp_path / "calibration.yaml"
    save_calibration(path, found, cell.board.config, "base")
    text = said(check_calibration_file(path, (), (), path.stat().st_mtime), Level.OK)
    for words in ("reprojection", "consistency", "standard error", "measured 0 days ago"):
        assert words in text
