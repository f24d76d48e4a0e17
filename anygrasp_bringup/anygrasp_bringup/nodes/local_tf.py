# SPDX-License-Identifier: Apache-2.0
"""Buffer, listener and broadcasters with tf2_ros' interface, for machines without tf2_ros."""

from __future__ import annotations

from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_msgs.msg import TFMessage

from anygrasp_bringup.nodes.qos import STATIC_TRANSFORMS, TRANSFORMS
from anygrasp_bringup.nodes.transform_conversions import transform_from_msg, transform_to_stamped_msg
from anygrasp_bringup.transform_tree import TransformTree

__all__ = ["Buffer", "StaticTransformBroadcaster", "TransformBroadcaster", "TransformListener"]


class Buffer:
    """Transforms of the last `cache_time` (10 s); a jump back of the node's clock clears the moving ones."""

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        self._tree = TransformTree(10.0 if cache_time is None else cache_time.nanoseconds / 1e9)
        if node is not None:
            # -1 ns: any step back of the simulated clock counts.
            threshold = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1))
            self._jump_handle = node.get_clock().create_jump_callback(threshold, post_callback=self._jumped)

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Add a transform; raises ValueError on one that is no rigid transform of a tree."""
        self._set(transform, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Add a transform that is valid at any time; raises as set_transform."""
        self._set(transform, static=True)

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration | None = None
    ) -> TransformStamped:
        """Return the transform from source to target at `time` (0: the latest), waiting at most `timeout`.

        Raises LookupException, ConnectivityException or ExtrapolationException.
        """
        stamp_ns = time.nanoseconds or None
        if timeout is not None and timeout.nanoseconds > 0:
            self._tree.can_transform(target_frame, source_frame, stamp_ns, timeout.nanoseconds / 1e9)
        if stamp_ns is None:
            stamp_ns = self._tree.latest_common_stamp(target_frame, source_frame)
        T_target_source = self._tree.lookup(target_frame, source_frame, stamp_ns)
        stamp = Time(nanoseconds=stamp_ns).to_msg()
        return transform_to_stamped_msg(target_frame, source_frame, T_target_source, stamp)

    def can_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration | None = None
    ) -> bool:
        """Whether lookup_transform answers, now or within `timeout`."""
        timeout_s = 0.0 if timeout is None else timeout.nanoseconds / 1e9
        return self._tree.can_transform(target_frame, source_frame, time.nanoseconds or None, timeout_s)

    def clear(self) -> None:
        """Forget the moving transforms."""
        self._tree.clear()

    def _set(self, transform: TransformStamped, *, static: bool) -> None:
        self._tree.set_transform(
            transform.header.frame_id,
            transform.child_frame_id,
            transform_from_msg(transform.transform),
            Time.from_msg(transform.header.stamp).nanoseconds,
            static=static,
        )

    def _jumped(self, jump: TimeJump) -> None:
        self._tree.clear()


class TransformListener:
    """Fills a buffer from /tf and /tf_static while the node spins.

    Its callbacks may run beside others (a MultiThreadedExecutor), so that a lookup can wait in a callback.
    """

    def __init__(self, buffer: Buffer, node: Node) -> None:
        self._buffer = buffer
        self._node = node
        group = ReentrantCallbackGroup()
        self._subscriptions = [
            node.create_subscription(TFMessage, "/tf", self._moving, TRANSFORMS, callback_group=group),
            node.create_subscription(
                TFMessage, "/tf_static", self._static, STATIC_TRANSFORMS, callback_group=group
            ),
        ]

    def unregister(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def _moving(self, message: TFMessage) -> None:
        for transform in message.transforms:
            self._store(transform, static=False)

    def _static(self, message: TFMessage) -> None:
        for transform in message.transforms:
            self._store(transform, static=True)

    def _store(self, transform: TransformStamped, *, static: bool) -> None:
        store = self._buffer.set_transform_static if static else self._buffer.set_transform
        try:
            store(transform, "default_authority")
        except ValueError as error:  # another node's mistake must not stop this one
            self._node.get_logger().warning(f"transform ignored: {error}", throttle_duration_sec=5.0)


class TransformBroadcaster:
    """Publishes moving transforms on /tf."""

    def __init__(self, node: Node) -> None:
        self._publisher = node.create_publisher(TFMessage, "/tf", TRANSFORMS)

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        """Publish one transform or several."""
        self._publisher.publish(TFMessage(transforms=_as_list(transform)))


class StaticTransformBroadcaster:
    """Publishes transforms that do not change on /tf_static, all so far each time, for late subscribers."""

    def __init__(self, node: Node) -> None:
        self._publisher = node.create_publisher(TFMessage, "/tf_static", STATIC_TRANSFORMS)
        self._sent: dict[str, TransformStamped] = {}  # by child frame

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        """Publish one transform or several, with those sent before."""
        self._sent.update({item.child_frame_id: item for item in _as_list(transform)})
        self._publisher.publish(TFMessage(transforms=list(self._sent.values())))


def _as_list(transform: TransformStamped | Iterable[TransformStamped]) -> list[TransformStamped]:
    return [transform] if isinstance(transform, TransformStamped) else list(transform)
