# SPDX-License-Identifier: Apache-2.0
"""`./run calibrate`: print a board, take views, find the camera, check it, check its intrinsics."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np

from anygrasp_bringup.ament_index import config_directory
from anygrasp_perception.atomic_files import whole_or_not
from anygrasp_perception.calibration.board import DICTIONARIES, Board, BoardConfig, BoardKind
from anygrasp_perception.calibration.board_print import save_board
from anygrasp_perception.calibration.calibration_file import (
    load_calibration,
    save_calibration,
    static_transform_command,
)
from anygrasp_perception.calibration.check import check_calibration
from anygrasp_perception.calibration.dataset import find_views, load_board, load_data
from anygrasp_perception.calibration.diversity import DiversityLimits, pose_diversity
from anygrasp_perception.calibration.intrinsics_check import Verdict, check_intrinsics
from anygrasp_perception.calibration.picture import draw_residuals
from anygrasp_perception.calibration.session import CaptureSession
from anygrasp_perception.calibration.solution import HandEyeCalibration, calibrate
from anygrasp_perception.calibration.views import CalibrationError, Setup
from anygrasp_perception.cameras.rgbd_camera import CameraError

__all__ = ["main", "parse"]

_CALIBRATION = "calibration.yaml"
_CAPTURE = "anygrasp_perception.nodes.calibration_capture"  # the one command that needs ROS
_DRIVE = "robot_drivers.nodes.calibration_drive"  # and the robot, where it is to move itself
_EPILOG = """\
in this order:
  ./run calibrate board --out board.pdf                        print it, measure it, glue it on something flat
  ./run calibrate capture DATA --setup eye-to-hand             it says where to move the robot next
  ./run calibrate capture DATA --setup eye-to-hand --move --robot-ip IP    or a UR drives itself there
  ./run calibrate intrinsics DATA                              does camera_info fit the images?
  ./run calibrate solve DATA --setup eye-to-hand               writes config/calibration.yaml
  ./run calibrate check NEW_DATA                               weeks later, from four or more new views

DATA may also come from elsewhere: images, poses.json and intrinsics.json, see docs/calibration.md."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; 0 on success, 1 when a check says no, 2 on bad input."""
    options = parse(argv)
    try:
        return int(_COMMANDS[options.command](options))
    except (CalibrationError, CameraError, OSError, ValueError) as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("calibrate: interrupted", file=sys.stderr)
        return 130


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; a wrong one ends the program with code 2."""
    parser = argparse.ArgumentParser(
        prog="./run calibrate",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    printing = _add(commands, "board", "write a board to print at its true size")
    printing.add_argument("--out", type=Path, default=Path("board.pdf"), metavar="F", help=".pdf or .png")
    capture = _add(
        commands, "capture", "take views live, guided (needs the camera's topics and the robot's TF)"
    )
    capture.add_argument("--base-frame", default="base", metavar="NAME", help="(base)")
    capture.add_argument("--tool-frame", default="tool0", metavar="NAME", help="(tool0)")
    capture.add_argument(
        "--camera-name", default="camera", metavar="NAME", help="prefix of the topics (camera)"
    )
    views = DiversityLimits().views
    capture.add_argument("--views", type=int, default=views, metavar="N", help=f"take N or more ({views})")
    moving = capture.add_argument_group(
        "moving a UR", "asks before each move; every move is held to the limits of --config"
    )
    moving.add_argument("--move", action="store_true", help="drive the robot to the poses")
    moving.add_argument("--robot-ip", metavar="IP", help="address of the UR")
    moving.add_argument("--config", type=Path, metavar="F.yaml", help="(config/bin_picking.yaml)")
    moving.add_argument("--max-tilt", type=float, metavar="DEG", help="of the tool from straight down, "
                        "instead of limits.max_tilt_rad: picks take less than calibrating")  # fmt: skip
    moving.add_argument("--yes", action="store_true", help="move without asking; stand clear")
    solve = _add(commands, "solve", "find the camera from the views in a folder")
    solve.add_argument("--out", type=Path, metavar="F.yaml", help="(config/calibration.yaml)")
    solve.add_argument(
        "--picture", type=Path, metavar="F.png", help="corners and residuals (DATA/residuals.png)"
    )
    solve.add_argument("--mount-frame", metavar="NAME", help="frame the camera is fixed to (base or tool0)")
    check = _add(commands, "check", "tell from a few new views whether a calibration still holds")
    check.add_argument("--calibration", type=Path, metavar="F.yaml", help="(config/calibration.yaml)")
    intrinsics = _add(commands, "intrinsics", "compare the camera's intrinsics with its images")
    for command in (capture, solve, check, intrinsics):
        command.add_argument("data", type=Path, metavar="DATA", help="folder of the views")
    for command in (capture, solve):
        command.add_argument("--setup", choices=[s.value for s in Setup], required=True, metavar="SETUP",
                             help="eye-to-hand: camera beside the robot; eye-in-hand: on it")  # fmt: skip
    options = parser.parse_args(argv)
    if "setup" in options:
        options.setup = Setup(options.setup)
    return options


def _add(commands, name: str, text: str) -> argparse.ArgumentParser:  # type: ignore[no-untyped-def]
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    board, default = parser.add_argument_group("board"), BoardConfig()
    board.add_argument(
        "--kind", choices=[k.value for k in BoardKind], metavar="KIND", help="charuco or aruco_grid"
    )
    board.add_argument("--columns", type=int, metavar="N", help=f"({default.columns})")
    board.add_argument("--rows", type=int, metavar="N", help=f"({default.rows})")
    board.add_argument("--square", dest="square_m", type=float, metavar="M",
                       help=f"side of a square in metres ({default.square_m})")  # fmt: skip
    board.add_argument("--marker", dest="marker_m", type=float, metavar="M",
                       help="side of a marker in metres (0.75 of a square)")  # fmt: skip
    board.add_argument("--dictionary", choices=DICTIONARIES, metavar="NAME", help=f"({default.dictionary})")
    return parser


def _board(options: argparse.Namespace) -> Board:
    """The board of the options, over the one noted beside the images, over the default."""
    folder = getattr(options, "data", None)
    noted = (load_board(folder) if folder is not None else None) or BoardConfig()
    given = {f.name: getattr(options, f.name) for f in fields(BoardConfig)}
    given = {name: value for name, value in given.items() if value is not None}
    if "kind" in given:
        given["kind"] = BoardKind(given["kind"])
    if "square_m" in given and "marker_m" not in given:
        given["marker_m"] = given["square_m"] * noted.marker_m / noted.square_m
    return Board(replace(noted, **given))


def _print_board(options: argparse.Namespace) -> int:
    print(save_board(_board(options).config, options.out))
    return 0


def _capture(options: argparse.Namespace) -> int:
    limits = replace(DiversityLimits(), views=options.views)
    if options.move:
        if options.robot_ip is None:
            raise CalibrationError("--move needs --robot-ip, the address of the UR that is to move")
        session = CaptureSession(options.data, _board(options), options.setup, limits)
        return int(
            importlib.import_module(_DRIVE).drive_and_capture(
                session,
                options.robot_ip,
                options.config or config_directory() / "bin_picking.yaml",
                options.max_tilt,
                options.camera_name,
                options.yes,
            )
        )
    capture = importlib.import_module(_CAPTURE).capture
    return int(
        capture(
            options.data,
            _board(options),
            options.setup,
            limits,
            options.base_frame,
            options.tool_frame,
            options.camera_name,
        )
    )


def _solve(options: argparse.Namespace) -> int:
    board, data = _board(options), load_data(options.data)
    views, missing = find_views(data, board)
    for name, reason in missing.items():
        print(f"{name} left out: {reason}")
    found = calibrate(board, data.intrinsics, options.setup, views)
    mount = options.mount_frame or ("base" if options.setup is Setup.EYE_TO_HAND else "tool0")
    out = options.out or config_directory() / _CALIBRATION
    picture = options.picture or options.data / "residuals.png"
    with whole_or_not(picture) as path:
        if not cv2.imwrite(str(path), draw_residuals(found, data.images)[..., ::-1]):
            raise OSError(f"cannot write {picture}")
    save_calibration(out, found, board.config, mount)
    print(_report(found, mount))
    print(f"wrote {out} and {picture}")
    print("with realsense-ros instead of our camera node, if its camera_link were at the colour camera:")
    print("  " + static_transform_command(found.T_mount_camera, mount))
    return 0


def _report(found: HandEyeCalibration, mount: str) -> str:
    x, y, z = 1e3 * found.T_mount_camera[:3, 3]
    poses = [view.T_base_tool for view in found.views]
    errors = ", ".join(f"{name} {rms_px:.2f}" for name, rms_px in found.method_rms_px.items())
    lines = [
        f"camera_color_optical_frame in {mount}: x {x:.1f} y {y:.1f} z {z:.1f} mm, looking along "
        f"{np.array2string(found.T_mount_camera[:3, 2], precision=3)}",
        f"standard error       {found.uncertainty_m * 1e3:.2f} mm, {found.uncertainty_deg:.3f} deg",
        f"reprojection error   {found.rms_px:.2f} px (closed solutions: {errors})",
        f"consistency          {found.consistency.position_m * 1e3:.2f} mm, "
        f"{found.consistency.angle_deg:.3f} deg",
        f"board seems          {found.board_scale:.4f} times its given size",
        f"poses                {pose_diversity(poses).describe(DiversityLimits())}",
    ]
    if found.left_out:
        lines.append(f"left out, since they contradict the others: {', '.join(found.left_out)}")
    return "\n".join(lines)


def _check(options: argparse.Namespace) -> int:
    setup, T_mount_camera = load_calibration(options.calibration or config_directory() / _CALIBRATION)
    board, data = _board(options), load_data(options.data)
    views, _ = find_views(data, board)
    result = check_calibration(board, data.intrinsics, setup, views, T_mount_camera)
    print(result.describe())
    return 0 if result.good else 1


def _intrinsics(options: argparse.Namespace) -> int:
    board, data = _board(options), load_data(options.data, with_poses=False)
    views, _ = find_views(data, board)
    result = check_intrinsics(board, data.intrinsics, [view.corners for view in views])
    print(result.describe())
    return 0 if result.verdict is Verdict.MATCH else 1


_COMMANDS = {
    "board": _print_board,
    "capture": _capture,
    "solve": _solve,
    "check": _check,
    "intrinsics": _intrinsics,
}

if __name__ == "__main__":
    sys.exit(main())
