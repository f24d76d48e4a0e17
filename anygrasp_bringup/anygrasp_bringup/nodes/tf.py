# SPDX-License-Identifier: Apache-2.0
"""TF for the nodes: tf2_ros where it is installed, else ours with the same interface."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from rclpy.duration import Duration
from rclpy.time import Time

from anygrasp_bringup.nodes.transform_conversions import transform_from_msg

try:
    from tf2_ros import (
        Buffer,
        ConnectivityException,
        ExtrapolationException,
        LookupException,
        StaticTransformBroadcaster,
        TransformBroadcaster,
        TransformException,
        TransformListener,
    )

    HAVE_TF2_ROS = True
except ImportError:
    from anygrasp_bringup.nodes.local_tf import (
        Buffer,
        StaticTransformBroadcaster,
        TransformBroadcaster,
        TransformListener,
    )
    from anygrasp_bringup.transform_tree import (
        ConnectivityException,
        ExtrapolationException,
        LookupException,
        TransformException,
    )

    HAVE_TF2_ROS = False

__all__ = [
    "HAVE_TF2_ROS",
    "ConnectivityException",
    "ExtrapolationException",
    "LookupException",
    "StaticTransformBroadcaster",
    "TransformBroadcaster",
    "TransformBuffer",
    "TransformException",
    "TransformListener",
]


class TransformBuffer(Buffer):  # type: ignore[misc]  # one of two bases
    """tf2_ros.Buffer with lookups as 4x4 arrays."""

    def lookup_matrix(
        self, target_frame: str, source_frame: str, time: Any, timeout: Duration | None = None
    ) -> npt.NDArray[np.float64]:
        """Return `T_target_source` (4, 4) at `time`, an rclpy Time or the stamp of a message.

        Raises LookupException, ConnectivityException or ExtrapolationException, after `timeout` if given.
        """
        when = time if isinstance(time, Time) else Time.from_msg(time)
        stamped = self.lookup_transform(target_frame, source_frame, when, timeout or Duration())
        return transform_from_msg(stamped.transform)
