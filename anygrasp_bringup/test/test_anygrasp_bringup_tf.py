# SPDX-License-Identifier: Apache-2.0
"""Two nodes in two contexts exchange transforms over real topics."""

import threading
from contextlib import contextmanager

import numpy as np
import pytest
import rclpy
from rclpy.clock import ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from scipy.spatial.transform import Rotation

from anygrasp_bringup.nodes import tf
from anygrasp_bringup.nodes.executors import MultiThreadedExecutor
from anygrasp_bringup.nodes.qos import RESULTS
from anygrasp_bringup.nodes.transform_conversions import (
    transform_from_msg,
    transform_to_msg,
    transform_to_stamped_msg,
)

WAIT = Duration(seconds=20)  # far above what it takes; only a failure waits as long


def transform(seed):
    rng = np.random.default_rng(seed)
    T = np.eye(4)
    T[:3, :3] = Rotation.random(random_state=rng).as_matrix()
    T[:3, 3] = rng.uniform(-1.0, 1.0, 3)
    return T


@contextmanager
def repeated(send):
    """Call `send` again and again: publisher and subscriber may not have found each other yet."""
    stop = threading.Event()

    def run():
        while not stop.wait(0.02):
            send()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def sender(ros_domain):
    context = rclpy.Context()
    context.init()
    node = Node("sender", context=context)
    yield node
    node.destroy_node()
    context.shutdown()


@pytest.fixture
def receiver(ros_domain):
    """A node that spins in a thread of its own."""
    context = rclpy.Context()
    context.init()
    node = Node("receiver", context=context)
    executor = MultiThreadedExecutor(2, context=context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    yield node
    executor.shutdown()
    thread.join()
    node.destroy_node()
    context.shutdown()


def test_conversion_there_and_back():
    np.testing.assert_allclose(transform_from_msg(transform_to_msg(transform(0))), transform(0), atol=1e-12)


def test_quaternion_of_length_0_is_refused():
    message = transform_to_msg(np.eye(4))
    message.rotation.w = 0.0
    with pytest.raises(ValueError, match="is not a rotation"):
        transform_from_msg(message)


def test_lookup_waits_for_moving_transforms_and_interpolates(sender, receiver):
    buffer = tf.TransformBuffer()
    tf.TransformListener(buffer, receiver)
    broadcaster = tf.TransformBroadcaster(sender)
    T_start, T_end = np.eye(4), np.eye(4)
    T_end[0, 3] = 1.0
    stamps = [Time(seconds=s, clock_type=ClockType.ROS_TIME).to_msg() for s in (10, 12)]
    messages = [
        transform_to_stamped_msg("base", "tool", T, stamp)
        for T, stamp in zip((T_start, T_end), stamps, strict=True)
    ]
    when = Time(seconds=10, nanoseconds=500_000_000, clock_type=ClockType.ROS_TIME)
    with repeated(lambda: broadcaster.sendTransform(messages)):
        T = buffer.lookup_matrix("base", "tool", when, WAIT)
    assert T[0, 3] == pytest.approx(0.25)
    answer = buffer.lookup_transform("tool", "base", Time(clock_type=ClockType.ROS_TIME))
    assert answer.header.frame_id == "tool"
    assert answer.child_frame_id == "base"
    assert answer.header.stamp == stamps[1]
    assert answer.transform.translation.x == pytest.approx(-1.0)


def test_late_listener_gets_every_static_transform(sender, receiver):
    broadcaster = tf.StaticTransformBroadcaster(sender)
    stamp = sender.get_clock().now().to_msg()
    broadcaster.sendTransform(transform_to_stamped_msg("base", "camera", transform(1), stamp))
    broadcaster.sendTransform([transform_to_stamped_msg("camera", "lens", transform(2), stamp)])
    buffer = tf.TransformBuffer()
    tf.TransformListener(buffer, receiver)
    T_base_lens = buffer.lookup_matrix("base", "lens", stamp, WAIT)
    np.testing.assert_allclose(T_base_lens, transform(1) @ transform(2), atol=1e-9)


def test_exceptions_have_tf2s_names():
    buffer = tf.TransformBuffer()
    with pytest.raises(tf.LookupException):
        buffer.lookup_transform("base", "tool", Time())
    stamp = Time(seconds=1).to_msg()
    buffer.set_transform(transform_to_stamped_msg("base", "tool", np.eye(4), stamp), "test")
    with pytest.raises(tf.ExtrapolationException):
        buffer.lookup_matrix("base", "tool", Time(seconds=5))
    buffer.set_transform_static(transform_to_stamped_msg("map", "door", np.eye(4), stamp), "test")
    with pytest.raises(tf.ConnectivityException):
        buffer.lookup_matrix("door", "tool", stamp)
    assert not buffer.can_transform("door", "tool", Time())
    assert buffer.can_transform("base", "tool", Time())


def test_malformed_transform_is_ignored_and_the_listener_lives(sender, receiver):
    buffer = tf.TransformBuffer()
    tf.TransformListener(buffer, receiver)
    broadcaster = tf.StaticTransformBroadcaster(sender)
    stamp = sender.get_clock().now().to_msg()
    broken = transform_to_stamped_msg("base", "base", np.eye(4), stamp)
    broadcaster.sendTransform([broken, transform_to_stamped_msg("base", "camera", transform(1), stamp)])
    np.testing.assert_allclose(buffer.lookup_matrix("base", "camera", stamp, WAIT), transform(1), atol=1e-9)


@pytest.mark.skipif(tf.HAVE_TF2_ROS, reason="the buffer of tf2_ros has its own test")
def test_moving_transforms_are_forgotten_when_simulated_time_jumps_back(sender, receiver):
    receiver.set_parameters([Parameter("use_sim_time", value=True)])
    buffer = tf.TransformBuffer(node=receiver)
    buffer.set_transform(
        transform_to_stamped_msg("base", "tool", np.eye(4), Time(seconds=9).to_msg()), "test"
    )
    publisher = sender.create_publisher(Clock, "/clock", RESULTS)
    clock, jumped_back = receiver.get_clock(), threading.Event()
    any_step_back = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1))
    handle = clock.create_jump_callback(any_step_back, post_callback=lambda _: jumped_back.set())
    with repeated(lambda: publisher.publish(Clock(clock=Time(seconds=10).to_msg()))):
        clock.sleep_until(Time(seconds=10, clock_type=ClockType.ROS_TIME), receiver.context)
    assert buffer.can_transform("base", "tool", Time())
    with repeated(lambda: publisher.publish(Clock(clock=Time(seconds=5).to_msg()))):
        assert jumped_back.wait(20.0)
    handle.unregister()
    assert not buffer.can_transform("base", "tool", Time())
