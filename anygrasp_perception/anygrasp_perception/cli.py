# SPDX-License-Identifier: Apache-2.0
"""`./run detect`: find grasps in one RGB-D image, without ROS."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import Uint8Array
from anygrasp_perception.atomic_files import whole_or_not
from anygrasp_perception.camera import CameraIntrinsics, RgbdFrame, depth_to_metres
from anygrasp_perception.detector import DetectionRequest, DetectionResult, DetectorError
from anygrasp_perception.detectors import DEFAULT_DETECTOR, DETECTORS, create_detector
from anygrasp_perception.drawing import draw_grasps
from anygrasp_perception.grasp_io import save_npz
from anygrasp_perception.gripper import ROBOTIQ_2F85

__all__ = ["main"]

_DESCRIPTION = """\
Find grasps of a parallel gripper in one colour and depth image.

Grasps come in the camera's optical frame (x right, y down, z forward; metres), best first: centre,
approach and closing direction, opening width, reach of the fingertips past the centre (depth), score."""

_EXAMPLES = """\
examples:
  all there is: numbers, a file and a picture
    ./run detect --color C.png --depth D.png --intrinsics K.json --out grasps.npz --picture grasps.png
  depth alone, camera given by numbers, depth in units of 0.1 mm
    ./run detect --depth D.png --fx 615 --fy 615 --cx 320 --cy 240 --depth-scale 0.0001
  only in a box in front of the camera, only nearly along the camera's axis, the best 5
    ./run detect --depth D.png --intrinsics K.json --region -0.1 -0.1 0.4 0.1 0.1 0.8 \\
        --approach 0 0 1 --cone-deg 30 --max-grasps 5
  only what a mask shows (white: the target); the rest of the scene is still an obstacle
    ./run detect --color C.png --depth D.png --intrinsics K.json --mask M.png --picture grasps.png
  weights of your own training; the detector without learning
    ./run detect --depth D.png --intrinsics K.json --weights runs/slim/geometry.safetensors
    ./run detect --depth D.png --intrinsics K.json --detector geometric

K.json holds {"fx": 616.4, "fy": 616.2, "cx": 310.3, "cy": 236.6, "width": 640, "height": 480}; further
keys are ignored. The .npz is read by anygrasp_perception.grasp_io.load_npz, or by numpy.load alone."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 on bad input, 130 when interrupted."""
    args = _parser().parse_args(argv)
    try:
        _check_outputs(args)
        detector = create_detector(
            args.detector, args.weights, args.device, args.threads, precision=args.precision
        )
        frame = _load_frame(args)
        cloud = frame.cloud()
        request = _request(args, frame)
        start = time.perf_counter()
        result = detector.detect(cloud, request)
        seconds = time.perf_counter() - start
        written = _write(args, frame, result, request)
        print(
            "\n".join([_report(result, seconds, args.top), *(f"wrote {path}" for path in written)]),
            flush=True,
        )
    except BrokenPipeError:  # whoever reads the report has read enough of it, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, DetectorError) as error:
        print(f"detect: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("detect: interrupted, nothing half-written", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=_DESCRIPTION, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    images = parser.add_argument_group("images")
    images.add_argument("--color", metavar="PNG", type=Path, help="colour image, drawn upon; optional")
    images.add_argument(
        "--depth", metavar="PNG", type=Path, required=True, help="16-bit, aligned to the colour"
    )
    images.add_argument("--depth-scale", metavar="M", type=float, default=0.001, help="metres a unit (0.001)")
    images.add_argument("--intrinsics", metavar="JSON", type=Path, help="camera file, see below")
    for name, text in (("fx", "focal length"), ("fy", "focal length"), ("cx", "centre"), ("cy", "centre")):
        images.add_argument(f"--{name}", metavar="PX", type=float, help=f"{text} in pixels, without a file")
    wanted = parser.add_argument_group("what to look for")
    wanted.add_argument("--max-grasps", metavar="N", type=int, default=100, help="at most so many (100)")
    wanted.add_argument("--max-width", metavar="M", type=float, default=0.085, help="gripper opening (0.085)")
    wanted.add_argument(
        "--region",
        metavar=("X0", "Y0", "Z0", "X1", "Y1", "Z1"),
        nargs=6,
        type=float,
        help="grasp centres in this box only, metres in the camera's frame",
    )
    wanted.add_argument("--mask", metavar="PNG", type=Path, help="grasp only what is not black in this image")
    wanted.add_argument(
        "--approach", metavar=("X", "Y", "Z"), nargs=3, type=float, help="approach along this"
    )
    wanted.add_argument("--cone-deg", metavar="DEG", type=float, default=30.0, help="... give or take (30)")
    wanted.add_argument("--dense", action="store_true", help="keep near-duplicates")
    wanted.add_argument("--seed", metavar="N", type=int, default=0, help="same seed, same grasps (0)")
    how = parser.add_argument_group("detector")
    how.add_argument(
        "--detector", choices=sorted(DETECTORS), default=DEFAULT_DETECTOR, help=f"({DEFAULT_DETECTOR})"
    )
    how.add_argument("--weights", metavar="FILE", type=Path, help="of the network; default: those that ship")
    how.add_argument("--device", metavar="NAME", default="cpu", help="the network computes on (cpu), or cuda")
    how.add_argument("--threads", metavar="N", type=int, default=1, help="it computes with on a cpu (1)")
    how.add_argument(
        "--precision",
        metavar="NAME",
        default="float32",
        help="of the network: float32 or bfloat16 (%(default)s)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--out", metavar="NPZ", type=Path, help="grasps and their provenance")
    output.add_argument("--picture", metavar="PNG", type=Path, help="grasps drawn into the colour image")
    output.add_argument("--top", metavar="N", type=int, default=10, help="grasps listed and drawn best (10)")
    return parser


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse what could not be written, before spending time on detection."""
    for path in (args.out, args.picture):
        if path is not None and not path.absolute().parent.is_dir():
            raise ValueError(f"no folder {path.absolute().parent} to write {path.name} to; make it first")
    if args.top < 0:
        raise ValueError(f"--top must be at least 0, got {args.top}")
    if args.picture is not None and args.picture.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ValueError(f"--picture {args.picture} must end in .png or .jpg")


def _load_frame(args: argparse.Namespace) -> RgbdFrame:
    depth = _read_image(args.depth, cv2.IMREAD_UNCHANGED)
    color = None if args.color is None else _read_image(args.color, cv2.IMREAD_COLOR)[..., ::-1]
    numbers = [args.fx, args.fy, args.cx, args.cy]
    if args.intrinsics is not None:
        if any(number is not None for number in numbers):
            raise ValueError("give --intrinsics or --fx --fy --cx --cy, not both")
        intrinsics = CameraIntrinsics.from_json(args.intrinsics)
    elif any(number is None for number in numbers):
        raise ValueError("the camera is unknown: give --intrinsics K.json, or all of --fx --fy --cx --cy")
    else:
        fx, fy, cx, cy = numbers
        intrinsics = CameraIntrinsics(fx, fy, cx, cy, width=depth.shape[1], height=depth.shape[0])
    return RgbdFrame(color, depth_to_metres(depth, args.depth_scale), intrinsics)


def _read_image(path: Path, flags: int) -> NDArray[Any]:
    if not path.is_file():
        raise FileNotFoundError(f"no image at {path}")
    image = cv2.imread(str(path), flags)
    if image is None:
        raise ValueError(f"{path} is not an image that OpenCV can read")
    return np.asarray(image)


def _request(args: argparse.Namespace, frame: RgbdFrame) -> DetectionRequest:
    mask = None
    if args.mask is not None:
        image = _read_image(args.mask, cv2.IMREAD_GRAYSCALE)
        if image.shape != frame.depth_m.shape:
            raise ValueError(
                f"mask and depth differ in size: {image.shape[::-1]} and {frame.depth_m.shape[::-1]}"
            )
        mask = image[frame.depth_m > 0] > 0  # row by row, as the cloud's points
    return DetectionRequest(
        region_min=None if args.region is None else np.array(args.region[:3]),
        region_max=None if args.region is None else np.array(args.region[3:]),
        target_mask=mask,
        approach=None if args.approach is None else np.array(args.approach),
        approach_cone_rad=math.pi if args.approach is None else math.radians(args.cone_deg),
        gripper=replace(ROBOTIQ_2F85, max_width_m=args.max_width),
        max_grasps=args.max_grasps,
        seed=args.seed,
        dense=args.dense,
    )


def _report(result: DetectionResult, seconds: float, top: int) -> str:
    grasps = result.grasps
    stages = ", ".join(f"{name} {1e3 * s:.0f}" for name, s in result.durations_s.items())
    lines = [
        f"{len(grasps)} grasps of {result.candidates} candidates in {1e3 * seconds:.0f} ms ({stages})",
        f"rejected: {result.rejected.summary()}",
    ]
    if len(grasps):
        lines.append("  #  score  width  depth   centre x      y      z    approach x      y      z")
        lines.append("             mm     mm          mm     mm     mm")
    for rank, grasp in enumerate(grasps.top(top)):
        x, y, z = 1e3 * grasp.translations[0]
        a, b, c = grasp.approaches[0]
        score, width, depth = grasp.scores[0], 1e3 * grasp.widths[0], 1e3 * grasp.depths[0]
        lines.append(
            f"{rank + 1:3d}  {score:5.2f}  {width:5.1f}  {depth:5.1f}"
            f"  {x:9.1f} {y:6.1f} {z:6.1f}     {a:7.2f} {b:6.2f} {c:6.2f}"
        )
    return "\n".join(lines)


def _write(
    args: argparse.Namespace, frame: RgbdFrame, result: DetectionResult, request: DetectionRequest
) -> list[Path]:
    """Write what was asked for, each file whole or not at all; return the paths."""
    written = []
    if args.out is not None:
        with whole_or_not(args.out) as temporary:
            save_npz(
                temporary,
                result.grasps,
                detector=result.detector,
                seed=request.seed,
                candidates=result.candidates,
                rejected=result.rejected.as_dict(),
                depth=str(args.depth),
                frame="camera optical frame",
            )
        written.append(args.out)
    if args.picture is not None:
        picture = draw_grasps(_canvas(frame), result.grasps, frame.intrinsics, request.gripper, args.top)
        with whole_or_not(args.picture) as temporary:
            if not cv2.imwrite(str(temporary), np.ascontiguousarray(picture[..., ::-1])):
                raise OSError(f"could not write the picture {args.picture}")
        written.append(args.picture)
    return written


def _canvas(frame: RgbdFrame) -> Uint8Array:
    """The colour image, else the depth in grey, near bright."""
    if frame.color is not None:
        return frame.color
    valid = frame.depth_m > 0
    near, far = np.quantile(frame.depth_m[valid], (0.01, 0.99))
    grey = 255 - 200 * np.clip((frame.depth_m - near) / max(far - near, 1e-6), 0, 1)
    return np.repeat(np.where(valid, grey, 0).astype(np.uint8)[..., None], 3, axis=2)


if __name__ == "__main__":
    sys.exit(main())
