# SPDX-License-Identifier: Apache-2.0
"""The detector with the names of the official AnyGrasp SDK: its scripts run with the imports changed.

    from anygrasp_perception.anygrasp_sdk import AnyGrasp, GraspGroup  # was: gsnet and graspnetAPI

`AnyGrasp` is the class of the SDK's grasp_detection demo, `create_detector` the function of its later
releases. What differs: the weights are ours (a checkpoint of the SDK's is refused, an empty path takes those
that ship), the scene outside `lims` is still an obstacle, and there is no licence to register.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.graspnet_group import GraspNetGrasp, GraspNetGroup
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.network.grasp_network import GraspNetwork
from anygrasp_perception.network.verifier import GraspVerifier
from anygrasp_perception.network.weights import load_network, load_verifier
from anygrasp_perception.network_detector import (
    NetworkDetector,
    NetworkDetectorConfig,
    shipped_verifier,
    shipped_weights,
)
from anygrasp_perception.observed_scene import in_region

__all__ = ["AnyGrasp", "Grasp", "GraspGroup", "SteeredAnyGrasp", "create_detector"]

Grasp, GraspGroup = GraspNetGrasp, GraspNetGroup

_TOP_DOWN_RAD = math.radians(30.0)
_STRICT_RAD = 1e-3  # a cone of no angle at all would lose grasps to rounding
_ALL_CELLS = 60


class AnyGrasp:
    """Grasp detection configured by `cfgs`, an object with the attributes of the SDK's command line.

    `checkpoint_path` (ours, empty: those that ship), `max_gripper_width` 0.1 and `gripper_height` 0.03 in
    metres, `top_down_grasp` False: only approaches within 30 degrees of the camera's axis. Others do nothing.
    Raises ValueError on a gripper that cannot be.
    """

    def __init__(self, cfgs: Any) -> None:
        width, height = getattr(cfgs, "max_gripper_width", 0.1), getattr(cfgs, "gripper_height", 0.03)
        self.gripper = GripperGeometry(
            max_width_m=width, finger_height_m=height, base_width_m=width + 0.02, base_height_m=height
        )
        self._weights = Path(getattr(cfgs, "checkpoint_path", "") or shipped_weights())
        self._top_down = bool(getattr(cfgs, "top_down_grasp", False))
        self._network: GraspNetwork | None = None
        self._verifier: GraspVerifier | None = None

    def load_net(self) -> None:
        """Read the weights. Raises WeightsError when they are missing, broken, or not of this network."""
        self._network = load_network(self._weights)
        self._verifier = load_verifier(shipped_verifier())

    def get_grasp(
        self,
        points: ArrayLike,
        colors: ArrayLike | None = None,
        lims: Sequence[float] | None = None,
        apply_object_mask: bool = True,
        dense_grasp: bool = False,
        collision_detection: bool = True,
    ) -> tuple[GraspNetGroup, Any]:
        """Return grasps in the frame of the points, best first, and the cloud inside the limits.

        `points` (N, 3) metres in the camera's optical frame; `colors` (N, 3) RGB in [0, 1], for the cloud
        returned; `lims` [xmin, xmax, ymin, ymax, zmin, zmax] that grasp centres lie in; `apply_object_mask`
        False grasps the background too; `dense_grasp` returns all 60 cells of each seed, slowly;
        `collision_detection` False keeps grasps that collide. The cloud is an `open3d.geometry.PointCloud`.

        Raises RuntimeError before `load_net`, ValueError on no points, NaN, or arrays that do not fit.
        """
        cloud = PointCloud(np.asarray(points), _checked_colors(colors))
        request = DetectionRequest()
        if lims is not None:
            if len(lims) != 6:
                raise ValueError(f"lims must be [xmin, xmax, ymin, ymax, zmin, zmax], got {list(lims)}")
            bounds = np.asarray(lims, dtype=np.float64)
            request = replace(request, region_min=bounds[::2], region_max=bounds[1::2])
        if self._top_down:
            request = request.along((0.0, 0.0, 1.0), _TOP_DOWN_RAD)
        grasps = self._detect(cloud, request, apply_object_mask, dense_grasp, collision_detection)
        return grasps, _open3d_cloud(cloud.crop(in_region(cloud.points, request)))

    def _detect(
        self,
        cloud: PointCloud,
        request: DetectionRequest,
        objects_only: bool = True,
        dense: bool = False,
        collisions: bool = True,
    ) -> GraspNetGroup:
        if self._network is None:
            raise RuntimeError("the network is not loaded; call load_net() first")
        seeds = self._network.config.seed_count
        config = NetworkDetectorConfig(objects_only=objects_only)
        # Duplicates stay in: scripts call nms() themselves.
        processing = replace(config.post_processing, check_collision=collisions, nms_translation_m=0.0)
        config = replace(config, post_processing=processing)
        detector = NetworkDetector(config, network=self._network, verifier=self._verifier)
        request = replace(
            request, gripper=self.gripper, dense=dense, max_grasps=seeds * _ALL_CELLS if dense else seeds
        )
        grasps = detector.detect(cloud, request).grasps
        return GraspNetGroup.of(grasps.replace(heights=np.full(len(grasps), self.gripper.finger_height_m)))


class SteeredAnyGrasp(AnyGrasp):
    """Detection steered by a mask and a direction; made by `create_detector`."""

    def get_grasp(  # type: ignore[override]  # the SDK's own two releases differ
        self, points: ArrayLike, optional_params: Mapping[str, Any] | None = None
    ) -> GraspNetGroup | None:
        """Return grasps in the frame of the points (N, 3), metres, best first; None where there are none.

        `optional_params`: `region_steering` a mask (N,) of points to grasp, `approach_steering` a direction
        (3,) and `approach_thresh` how far from it approaches may be, radians, `dense_grasp`,
        `collision_detection`, `apply_object_mask`. Raises ValueError on other names, and as `AnyGrasp` does.
        """
        options = dict(optional_params or {})
        region, approach = options.pop("region_steering", None), options.pop("approach_steering", None)
        angle = float(options.pop("approach_thresh", math.pi))
        flags = {
            "dense": bool(options.pop("dense_grasp", False)),
            "collisions": bool(options.pop("collision_detection", True)),
            "objects_only": bool(options.pop("apply_object_mask", True)),
        }
        if options:
            raise ValueError(f"optional_params has no {', '.join(sorted(options))}")
        request = DetectionRequest(target_mask=None if region is None else np.asarray(region))
        if approach is not None:
            request = request.along(approach, max(angle, _STRICT_RAD))
        elif self._top_down:
            request = request.along((0.0, 0.0, 1.0), _TOP_DOWN_RAD)
        grasps = self._detect(PointCloud(np.asarray(points)), request, **flags)
        return grasps if len(grasps) else None


def create_detector(cfgs: Any) -> SteeredAnyGrasp:
    """Return a detector with its weights read. Raises as `AnyGrasp` and `AnyGrasp.load_net` do."""
    detector = SteeredAnyGrasp(cfgs)
    detector.load_net()
    return detector


def _checked_colors(colors: ArrayLike | None) -> Any:
    if colors is None:
        return None
    array = np.asarray(colors, dtype=np.float32)
    if array.size and not (array.min() >= 0.0 and array.max() <= 1.0):
        raise ValueError("colors must be RGB in [0, 1]; divide 8-bit images by 255")
    return array


def _open3d_cloud(cloud: PointCloud) -> Any:
    import open3d  # seconds to import

    result = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(cloud.points.astype(np.float64)))
    if cloud.colors is not None:
        result.colors = open3d.utility.Vector3dVector(cloud.colors.astype(np.float64))
    return result
