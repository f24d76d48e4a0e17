# SPDX-License-Identifier: Apache-2.0
"""`./run record`: record a RealSense, or images as if one had seen them, to a file that can be played."""

from __future__ import annotations

import argparse
import math
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from anygrasp_bringup.stop_signals import stop_signals
from anygrasp_perception.cameras.realsense_config import RealSenseConfig, RealSensePreset
from anygrasp_perception.cameras.realsense_recorder import Recorded, record_camera, record_images
from anygrasp_perception.cameras.rgbd_camera import CameraError

__all__ = ["main"]

_EPILOG = """\
examples:
  ./run record --out bin.db3 --seconds 10            the RealSense that is connected
  ./run record --out bin.db3 --serial 123456789012   one of several, until Ctrl-C
  ./run record --out bin.db3 --from-images DIR       NAME_color.png, NAME_depth_mm.png, NAME_intrinsics.json

Play it: ./run launch anygrasp_bringup detection.launch.py recording:=bin.db3"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when a file was written, 2 on bad input or a camera that gives nothing."""
    options = _parse(argv)
    stop = threading.Event()
    progress = _Progress(options.seconds)
    try:
        with stop_signals(stop.set):
            if options.from_images is not None:
                done = record_images(
                    options.from_images, options.out, options.seconds, stop, progress, options.fps
                )
            else:
                config = RealSenseConfig(
                    serial=options.serial,
                    width=options.size[0],
                    height=options.size[1],
                    fps=options.fps,
                    preset=RealSensePreset(options.preset),
                )
                done = record_camera(config, options.out, options.seconds, stop, progress)
    except (CameraError, OSError, ValueError) as error:
        progress.end()
        print(f"record: {error}", file=sys.stderr)
        return 2
    progress.end()
    bad = f", {done.bad_frames} bad" if done.bad_frames else ""
    size_mb = options.out.stat().st_size / 1e6
    print(f"wrote {options.out}: {done.frames} frames{bad} in {done.seconds:.1f} s, {size_mb:.1f} MB")
    return 0


class _Progress:
    """One line on stderr, rewritten about each second."""

    def __init__(self, seconds: float) -> None:
        self._of = "" if math.isinf(seconds) else f" of {seconds:.0f}"
        self._next_s = 0.0
        self._shown = False

    def __call__(self, recorded: Recorded) -> None:
        if recorded.seconds >= self._next_s:
            self._next_s = recorded.seconds + 1.0
            self._shown = True
            text = (
                f"\rrecording: {recorded.seconds:.0f}{self._of} s, {recorded.frames} frames; Ctrl-C ends it  "
            )
            print(text, end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._shown:
            print(file=sys.stderr)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run record",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", metavar="F.db3", type=Path, required=True, help="the file to write")
    parser.add_argument(
        "--seconds",
        metavar="N",
        type=_positive,
        default=math.inf,
        help="how long (until Ctrl-C; images: once)",
    )
    parser.add_argument(
        "--serial", metavar="S", default="", help="serial number, where several are connected"
    )
    parser.add_argument("--from-images", metavar="DIR", type=Path, help="record these images, not a camera")
    parser.add_argument("--size", metavar=("W", "H"), nargs=2, type=int, default=(640, 480), help="(640 480)")
    parser.add_argument("--fps", metavar="N", type=int, default=30, help="images a second (30)")
    presets = [preset.value for preset in RealSensePreset]
    parser.add_argument("--preset", choices=presets, default="none", help="set in the camera first")
    options = parser.parse_args(argv)
    if options.fps <= 0 or min(options.size) <= 0:
        parser.error("--fps and --size must be positive")
    return options


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


if __name__ == "__main__":
    sys.exit(main())
