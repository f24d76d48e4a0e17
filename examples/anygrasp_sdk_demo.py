# SPDX-License-Identifier: Apache-2.0
"""Grasps in one RGB-D frame by the interface of the official AnyGrasp SDK.

    python examples/anygrasp_sdk_demo.py --color C.png --depth D.png --fx 615 --fy 615 --cx 320 --cy 240

Only the import differs from a script for the SDK, and no checkpoint need be given.
"""

import argparse

import cv2
import numpy as np

from anygrasp_perception.anygrasp_sdk import AnyGrasp  # was: from gsnet import AnyGrasp


def read_frame(cfgs):
    """Points (N, 3) in metres and colours (N, 3) in [0, 1] of all pixels with a depth below 1 m."""
    colors = cv2.imread(cfgs.color)[..., ::-1].astype(np.float32) / 255
    z = cv2.imread(cfgs.depth, cv2.IMREAD_UNCHANGED) * cfgs.depth_scale
    columns, rows = np.meshgrid(np.arange(z.shape[1]), np.arange(z.shape[0]))
    points = np.stack([(columns - cfgs.cx) / cfgs.fx * z, (rows - cfgs.cy) / cfgs.fy * z, z], axis=-1)
    valid = (z > 0) & (z < 1)
    return points[valid].astype(np.float32), colors[valid]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint_path", default="", help="weights; default: those that ship")
    parser.add_argument("--max_gripper_width", type=float, default=0.1, help="metres, at most 0.1")
    parser.add_argument("--gripper_height", type=float, default=0.03, help="metres")
    parser.add_argument("--top_down_grasp", action="store_true", help="only from above")
    parser.add_argument("--debug", action="store_true", help="show the grasps in a window")
    parser.add_argument("--color", required=True, help="PNG")
    parser.add_argument("--depth", required=True, help="16-bit PNG, aligned to the colour")
    parser.add_argument("--depth_scale", type=float, default=0.001, help="metres a unit")
    for name in ("fx", "fy", "cx", "cy"):
        parser.add_argument(f"--{name}", type=float, required=True, help="pixels")
    cfgs = parser.parse_args()
    cfgs.max_gripper_width = max(0, min(0.1, cfgs.max_gripper_width))

    anygrasp = AnyGrasp(cfgs)
    anygrasp.load_net()
    points, colors = read_frame(cfgs)
    lims = [-0.19, 0.12, 0.02, 0.15, 0.0, 1.0]  # workspace: xmin, xmax, ymin, ymax, zmin, zmax
    gg, cloud = anygrasp.get_grasp(
        points, colors, lims=lims, apply_object_mask=True, dense_grasp=False, collision_detection=True
    )
    if len(gg) == 0:
        print("no grasp left after collision detection")
        return
    gg = gg.nms().sort_by_score()
    gg_pick = gg[0:20]
    print(gg_pick.scores)
    print("grasp score:", gg_pick[0].score)
    if cfgs.debug:
        import open3d as o3d

        grippers = gg.to_open3d_geometry_list()
        o3d.visualization.draw_geometries([*grippers, cloud])


if __name__ == "__main__":
    main()
