# SPDX-License-Identifier: Apache-2.0
"""The simulated cell in a process of its own, with a pipe for faults and for the truth about the arm."""

from __future__ import annotations

import os
import queue
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

import mujoco
import numpy as np
from rclpy.time import Time
from std_msgs.msg import Header

from anygrasp_bringup.nodes.spinning import run_node
from anygrasp_bringup.nodes.tf import TransformBroadcaster
from anygrasp_bringup.nodes.transform_conversions import transform_to_stamped_msg
from anygrasp_perception.camera import RgbdFrame
from anygrasp_perception.camera_frames import T_LINK_OPTICAL
from anygrasp_perception.ros_conversions import image_to_msg, intrinsics_to_camera_info
from anygrasp_perception.se3 import inverse
from anygrasp_sim.cell import BinPickingCell
from anygrasp_sim.emulators.ur_controller import UrController
from anygrasp_sim.ground_truth import ObjectPlace
from anygrasp_sim.nodes.cell import CAMERA_FRAME, CellNode
from faults.motion import Motion, MotionRecord

_SHIFT_S = 300.0  # of stamps that are wrong


class _Watched:
    """The controller, with jobs done between its ticks and a record of each."""

    def __init__(self, node: FaultyCell, controller: UrController) -> None:
        self._node = node
        self._controller = controller

    def tick(self, dt_s: float) -> None:
        node = self._node
        while not node.jobs.empty():
            node.jobs.get()()
        self._controller.tick(dt_s)
        node.wake_ticks -= 1
        if node.wake_ticks == 0:
            node.cell.model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP
        actual = self._controller.robot.actual
        node.record.note(self._controller.robot.time_s, actual.qd, actual.tcp_pose[:3])


class FaultyCell(CellNode):
    """A CellNode whose camera and transforms lie on request, and whose controller is told to fail."""

    def __init__(self) -> None:
        self.pipe = Connection(int(os.environ["FAULTY_CELL_PIPE"]))
        self.jobs: queue.Queue[Any] = queue.Queue()
        self.record = MotionRecord()
        self.camera_fault = ""
        self.frozen = Time().to_msg()
        self.stuck_fingers = False
        self.wake_ticks = 0  # until physics may let resting objects sleep again
        self._camera_tf_moving = False
        super().__init__()
        self._moving_tf = TransformBroadcaster(self)

    # Overrides

    def _run(self, cell: BinPickingCell, controller: UrController, viewer: Any) -> None:
        self.cell, self.controller = cell, controller
        command = cell.command_gripper
        cell.command_gripper = (  # type: ignore[method-assign]
            lambda *values, **named: None if self.stuck_fingers else command(*values, **named)
        )
        threading.Thread(target=self._serve, name="faults", daemon=True).start()
        super()._run(cell, _Watched(self, controller), viewer)  # type: ignore[arg-type]

    def _publish_static_transforms(self, cell: BinPickingCell) -> None:
        """Held back: the first fault is their absence."""

    def _publish_frame(self, frame: RgbdFrame, header: Header) -> None:
        fault = self.camera_fault
        if self._camera_tf_moving:
            self.camera_tf_once(header.stamp)
        if fault == "silent":
            return
        if fault == "wrong frame":
            header.frame_id = "atlantis"
        if fault == "frozen":
            header.stamp = self.frozen
        else:
            self.frozen = header.stamp
        stamp_s = self.cell.time_s
        if fault == "old":
            header.stamp = Time(seconds=max(0.1 * stamp_s, stamp_s - _SHIFT_S)).to_msg()
        elif fault == "future":
            header.stamp = Time(seconds=stamp_s + _SHIFT_S).to_msg()
        if not fault or fault in ("frozen", "old", "future", "wrong frame"):
            super()._publish_frame(frame, header)
            return
        self._publish_broken(fault, frame, header)

    def _publish_broken(self, fault: str, frame: RgbdFrame, header: Header) -> None:
        info = intrinsics_to_camera_info(frame.intrinsics, header)
        color = image_to_msg(frame.color, "rgb8", header)
        depth_mm = (frame.depth_m * 1000.0).round().astype("uint16")
        depth = image_to_msg(depth_mm, "16UC1", header)
        if fault == "zero intrinsics":
            info.k = np.zeros(9)
        elif fault == "NaN":
            depth = image_to_msg(np.full_like(frame.depth_m, np.nan), "32FC1", header)
        elif fault == "black":
            depth = image_to_msg(np.zeros_like(depth_mm), "16UC1", header)
        elif fault == "noise":
            noise = np.random.default_rng(0).integers(0, 2000, depth_mm.shape).astype("uint16")
            depth = image_to_msg(noise, "16UC1", header)
        elif fault == "wrong size":
            depth = image_to_msg(np.ascontiguousarray(depth_mm[::2, ::2]), "16UC1", header)
        elif fault == "wrong encoding":
            depth.encoding = "rgb8"
        elif fault == "truncated":
            depth.data = depth.data[: len(depth.data) // 3]
        elif fault != "no depth":
            raise ValueError(f"unknown fault {fault!r}")
        self._info.publish(info)
        self._color.publish(color)
        if fault != "no depth":
            self._depth.publish(depth)

    # Asked through the pipe

    def camera(self, fault: str) -> None:
        """Break the camera; "" mends it."""
        self.camera_fault = fault

    def camera_tf(self, kind: str) -> None:
        """How the camera's pose is published: "static", "moving" with each image, "stopped"; or "nan" and
        "off by 0.5 m", once.
        """
        if kind != "nan":
            self._camera_tf_moving = kind == "moving"
        if kind == "static":
            super()._publish_static_transforms(self.cell)
        elif kind == "off by 0.5 m":
            T_base_link = self.cell.T_base_camera @ inverse(T_LINK_OPTICAL)
            T_base_link[2, 3] += 0.5
            self._static_tf.sendTransform(
                transform_to_stamped_msg("base", "camera_link", T_base_link, Time().to_msg())
            )
        elif kind == "nan":
            stamp = Time(seconds=self.cell.time_s).to_msg()
            message = transform_to_stamped_msg("base", "camera_link", np.eye(4), stamp)
            message.transform.translation.x = float("nan")
            self._moving_tf.sendTransform(message)

    def camera_tf_once(self, stamp: Any) -> None:
        """Publish the camera's pose as a moving transform."""
        T_base_link = self.cell.T_base_camera @ inverse(T_LINK_OPTICAL)
        self._moving_tf.sendTransform(
            [
                transform_to_stamped_msg("base", "camera_link", T_base_link, stamp),
                transform_to_stamped_msg("camera_link", CAMERA_FRAME, T_LINK_OPTICAL, stamp),
            ]
        )

    def robot(self, method: str, *arguments: Any) -> Any:
        """Call a method of the UrController."""
        return getattr(self.controller, method)(*arguments)

    def power_off(self) -> None:
        """Cut the arm's power, as a controller that boots does."""
        robot = self.controller.robot
        with robot.lock:
            robot.emergency_stop()
            robot.safety.release_emergency_stop()

    def jam_gripper(self, jammed: bool) -> None:
        """The fingers no longer do as they are told."""
        self.stuck_fingers = jammed

    def open_fingers(self) -> None:
        """Whoever holds the object lets it go."""
        self.cell.command_gripper(0.0, 1.0, 1.0)

    def refill(self) -> int:
        """Drop what is not on the plate above it, and say how many objects that was."""
        cell = self.cell
        cell.model.opt.enableflags &= ~int(mujoco.mjtEnableBit.mjENBL_SLEEP)
        missing = [s.name for s in cell.object_states() if s.place is not ObjectPlace.ON_PLATE]
        for slot, name in enumerate(missing):
            joint = cell.model.body_jntadr[cell.model.body(name).id]
            start, dof = cell.model.jnt_qposadr[joint], cell.model.jnt_dofadr[joint]
            x, y = cell.config.plate_center_m
            angle = 2.0 * np.pi * slot / len(missing)
            at = (x + 0.09 * np.cos(angle), y + 0.09 * np.sin(angle), 0.10 + 0.05 * (slot % 2))
            cell.data.qpos[start : start + 7] = (*at, 1.0, 0.0, 0.0, 0.0)
            cell.data.qvel[dof : dof + 6] = 0.0
        mujoco.mj_forward(cell.model, cell.data)
        self.wake_ticks = 5
        return len(missing)

    def on_plate(self) -> int:
        """Objects on the plate."""
        return sum(state.place is ObjectPlace.ON_PLATE for state in self.cell.object_states())

    def motion(self, since_s: float) -> Motion:
        """What the arm has done since a moment."""
        return self.record.since(since_s)

    def _serve(self) -> None:
        """Answer the pipe; each request is carried out between two ticks."""
        while True:
            try:
                name, arguments = self.pipe.recv()
            except (EOFError, OSError):
                self._stop.set()
                return
            self.jobs.put(lambda name=name, arguments=arguments: self._answer(name, arguments))

    def _answer(self, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            self.pipe.send((getattr(self, name)(*arguments), None))
        except Exception as error:  # the campaign's mistake, and the campaign is told
            self.pipe.send((None, f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    sys.exit(run_node(FaultyCell))
