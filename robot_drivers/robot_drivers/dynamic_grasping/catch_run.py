# SPDX-License-Identifier: Apache-2.0
"""Algorithm 1 of the paper, line by line: the loop of one run."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_tracking.body_motion import BodyMotion
from anygrasp_tracking.correspondence import CorrespondencePolicy
from anygrasp_tracking.selection import NoGrasps
from anygrasp_tracking.target import TrackedGrasp, TrackState
from anygrasp_tracking.tracker import GraspTracker
from anygrasp_tracking.tracking_frame import TrackingFrame
from robot_drivers.arms.arm import ArmError, ArmLost, ArmStopped, UnreachablePose
from robot_drivers.dynamic_grasping.catch_config import CatchConfig
from robot_drivers.dynamic_grasping.catch_moves import CatchMoves
from robot_drivers.dynamic_grasping.catch_record import CatchRecord, CatchStage, TrackedPose
from robot_drivers.dynamic_grasping.foresight import Foresight
from robot_drivers.dynamic_grasping.servo_geometry import (
    Closeness,
    across_body,
    closeness,
    pregrasp_pose,
    tool_pose,
    upright,
)
from robot_drivers.dynamic_grasping.way_out import WayOut
from robot_drivers.dynamic_grasping.within_reach import WithinReach, in_reach
from robot_drivers.executors.perception import PerceptionError
from robot_drivers.executors.pick_errors import PickFailed
from robot_drivers.executors.stop_switch import StopSwitch
from robot_drivers.safety import LimitViolation

__all__ = ["CatchRun", "OnProgress", "PerceiveFrame"]

_LOG = logging.getLogger(__name__)

_HEIGHTS = 5  # of the latest poses, whose median tells how high the grasp is

# Stage, id of the target (0: none), what is left to the predicted grasp.
OnProgress = Callable[[CatchStage, int, "Closeness | None"], None]


class PerceiveFrame(Protocol):
    """Blocks until the grasps of a new image are there, within a time limit of its own."""

    def __call__(self, newer_than_s: float, about: Float64Array | None) -> TrackingFrame:
        """Grasps, base frame, of the newest image stamped later than `newer_than_s`.

        With a point `about` (3,), base frame, those around it are enough.

        Raises:
            PerceptionError: there is none in time, or the executor was stopped meanwhile.
        """
        ...


class CatchRun:
    """Tracks, servoes and grasps; what it has done so far stays readable when `execute` raises."""

    def __init__(
        self,
        config: CatchConfig,
        moves: CatchMoves,
        way_out: WayOut,
        perceive: PerceiveFrame,
        policy: CorrespondencePolicy,
        stop: StopSwitch,
        clock: Callable[[], float],
        on_progress: OnProgress,
    ) -> None:
        self.records: list[CatchRecord] = []
        self.counts: Counter[str] = Counter()  # frames, recoveries by reason
        self.tracker = GraspTracker(policy, config.tracker)
        self._config = config
        self._moves = moves
        self._way_out = way_out
        self._perceive = perceive
        self._stop = stop
        self._clock = clock
        self._on_progress = on_progress
        self._track: list[TrackedPose] = []
        self._foreseen = Foresight(config.servo)
        self._body = BodyMotion(config.servo.body)
        self._seen_s = -np.inf
        self._periods_s: list[float] = []  # wall time from one image of a target to the next
        self._followed: tuple[int, float] | None = None  # the last image's target, and when that was
        self._failed = 0  # perceptions in a row

    def execute(self, done: Callable[[CatchRun], bool]) -> None:
        """Run until `done`, which is asked before each frame.

        Raises:
            PickFailed: stopped, or the perception does not answer.
            ArmError: the arm refused, stopped or is lost.
            GripperError: the gripper likewise.
        """
        self._initialise()  # lines 1-2
        while not done(self):  # line 3
            self._stop.check()
            frame = self._look()
            if frame is not None:
                self._step(frame)

    @property
    def loop_hz(self) -> float:
        """Images a second of wall time while a target was followed, median; 0 before there are any."""
        return 1.0 / float(np.median(self._periods_s)) if self._periods_s else 0.0

    @property
    def catches(self) -> int:
        """Attempts after which the gripper still held something over the bin."""
        return sum(record.kept for record in self.records)

    def _initialise(self) -> None:
        self._on_progress(CatchStage.READY, 0, None)
        try:
            self._moves.initialise()
        except (UnreachablePose, LimitViolation) as error:  # not by its joints: by servo, frame by frame
            self.counts["not initialised"] += 1
            _LOG.warning("not to ready by its joints: %s", error)
            self._moves.release()
            self._moves.servo_ready()
        self._forget()
        self._seen_s = self._clock()  # images from before show the arm elsewhere

    def _look(self) -> TrackingFrame | None:
        """Lines 5-6; None when there was no answer, after which the arm goes to ready."""
        try:
            frame = self._perceive(self._seen_s, self._about())
        except PerceptionError as error:
            self._stop.check()
            self._failed += 1
            if self._failed >= self._config.max_failed_perceptions:
                raise PickFailed(
                    error.code, f"{self._failed} perceptions in a row failed, the last: {error}"
                ) from error
            self._recover("no perception", str(error))
            return None
        self._failed = 0
        self._seen_s = frame.time_s
        self.counts["frames"] += 1
        return frame

    def _about(self) -> Float64Array | None:
        """Where the target is now; None while nothing is followed."""
        if not self.tracker.target_ids or not self._track:
            return None
        (track_id,) = self.tracker.target_ids
        now_s = max(self._clock(), self._track[-1].time_s)
        if self._body.knows(now_s, self._config.servo.min_looks):
            return np.array([*self._body.predict(now_s)[0], self._track[-1].T_base_grasp[2, 3]])
        return self.tracker.predict(track_id, now_s)[:3, 3]

    def _step(self, frame: TrackingFrame) -> None:
        if len(frame.grasps) == 0:  # line 7
            self._recover("no grasp")  # line 8
            return  # line 9
        target = self._follow(frame)  # lines 11-15
        if target is None:
            return
        T_base_tcp = self._moves.tcp_pose()  # line 4: as it is now, the image being older
        T_base_target = self._target_pose(target, T_base_tcp)  # line 16
        proven = self._is_proven(target, frame.time_s)
        if not in_reach(T_base_target, self._config.servo):
            self._recover("outside", f"predicted grasp at {np.round(T_base_target[:3, 3], 3)} m")
            return
        left = closeness(T_base_target, T_base_tcp)  # line 17
        self._on_progress(CatchStage.TRACK, target.track_id, left)
        if self._close_enough(left) and proven:  # line 18
            if self._way_out.leads_from(T_base_target):
                self._grasp(target, T_base_target)  # lines 19-22
            else:
                self._recover("no way out", f"from {np.round(T_base_target[:3, 3], 3)} m")
        elif frame.time_s - self._track[0].time_s > self._config.give_up_s:
            self._recover("gave up", f"not in reach for {self._config.give_up_s:.0f} s")
        else:
            self._servo(pregrasp_pose(T_base_target, self._config.servo.pregrasp_m))  # lines 24-25

    def _follow(self, frame: TrackingFrame) -> TrackedGrasp | None:
        """The target in this frame, chosen anew where there is none; None after its loss."""
        result = self.tracker.update(frame)
        if result.dropped:
            self.counts["dropped"] += 1
            return None
        if not result.targets:  # line 11: the first frame of a target
            wanted = WithinReach(self._config.servo, passable=self._passable)
            try:
                result_targets = self.tracker.select(wanted)  # line 12
            except NoGrasps as error:
                self._recover("none to select", str(error))
                return None
            self._begin_track()
        else:
            result_targets = result.targets  # line 14
        (target,) = result_targets
        if target.state is TrackState.LOST:
            self._recover("lost", target.lost_reason)
            return None
        self._note_period(target.track_id)
        if target.state is TrackState.TRACKED:
            pose = TrackedPose(frame.time_s, target.grasp.poses[0], target.correspondence)
            self._track.append(pose)
            if self._config.servo.aim_at_body and frame.raised is not None:
                self._body.look(frame.time_s, frame.raised, pose.T_base_grasp)
        return target

    def _note_period(self, track_id: int) -> None:
        now_s = time.monotonic()
        if self._followed is not None and self._followed[0] == track_id:
            self._periods_s.append(now_s - self._followed[1])
        self._followed = track_id, now_s

    def _passable(self, grasp: GraspGroup) -> bool:
        """Whether the arm can go to a grasp (group of one) as it is seen, and on from there to the throw."""
        return self._way_out.leads_from(self._tool_pose(grasp.poses[0], grasp, self._moves.tcp_pose()))

    def _target_pose(self, target: TrackedGrasp, T_base_tcp: Float64Array) -> Float64Array:
        """Tool pose (4, 4) for the grasp as it will be when the fingers close on it."""
        servo = self._config.servo
        T_base_grasp = target.grasp.poses[0]
        seen_s, closed_s = self._track[-1].time_s, self._clock() + servo.closing_latency_s
        if servo.aim_at_body and self._body.knows(seen_s, servo.min_looks):
            middle, angle = self._body.predict(closed_s if servo.predict else seen_s)
            # Among its neighbours the followed grasp goes up and down too, the body hardly does.
            height = float(np.median([pose.T_base_grasp[2, 3] for pose in self._track[-_HEIGHTS:]]))
            T_base_grasp = across_body(T_base_grasp, np.array([*middle, height]), angle)
        # Two or three poses tell noise rather than momentum: it could send a good target out of reach.
        elif servo.predict and len(self._track) >= servo.min_poses:
            T_base_grasp = self.tracker.predict(target.track_id, closed_s)
        return self._tool_pose(T_base_grasp, target.grasp, T_base_tcp)

    def _tool_pose(
        self, T_base_grasp: Float64Array, grasp: GraspGroup, T_base_tcp: Float64Array
    ) -> Float64Array:
        """Tool pose (4, 4) for a grasp (group of one) that is at a pose (4, 4)."""
        servo = self._config.servo
        if servo.upright:
            T_base_grasp = upright(T_base_grasp)
        beyond_m = max(float(grasp.depths[0]) + servo.reach_beyond_m, servo.min_reach_m)
        T = tool_pose(T_base_grasp, beyond_m, T_base_tcp, self._moves.ready_pose(), servo.max_turn_rad)
        T[2, 3] = max(T[2, 3], servo.workspace_min_m[2])  # the floor is in the way, the fish is above it
        return T

    def _close_enough(self, left: Closeness) -> bool:
        servo = self._config.servo
        return (
            left.rotation_rad <= servo.max_rotation_rad
            and left.distance_m <= servo.max_distance_m
            and left.distance_xy_m <= servo.max_distance_xy_m
        )

    def _is_proven(self, target: TrackedGrasp, time_s: float) -> bool:
        """Whether the target is seen and goes where its motion has led; notes where it leads now."""
        servo = self._config.servo
        if target.state is not TrackState.TRACKED or len(self._track) < servo.min_poses:
            return False
        if not servo.predict:
            return True
        T_base_grasp = target.grasp.poses[0]
        later_s = time_s + servo.proof_s
        self._foreseen.note(later_s, self.tracker.predict(target.track_id, later_s))
        return self._foreseen.came_true(time_s, T_base_grasp)

    def _servo(self, T_base_tcp: Float64Array) -> None:
        try:
            self._moves.servo(T_base_tcp)
        except LimitViolation as error:
            if error.code != "TOO_FAST":
                self._recover("outside the limits", str(error))
                return
            # The servo stuttered, as on a busy machine: it stands, and begins anew with the next frame.
            self.counts["stuttered"] += 1
            self._moves.stand()
        except UnreachablePose as error:
            self._recover("unreachable", str(error))

    def _grasp(self, target: TrackedGrasp, T_base_target: Float64Array) -> None:
        record = CatchRecord(
            attempt=len(self.records) + 1,
            track_id=target.track_id,
            track=tuple(self._track),
            selected_s=self._track[0].time_s,
            decided_s=self._clock(),
            T_base_target=T_base_target,
        )
        self.records.append(record)
        try:
            self._on_progress(CatchStage.GRASP, target.track_id, None)
            held = self._moves.grasp(T_base_target)  # line 20
        except (UnreachablePose, LimitViolation) as error:
            self.records.pop()  # refused before anything moved: no attempt
            self._recover("unreachable", str(error))
            return
        except (ArmLost, ArmStopped):
            raise
        except ArmError as error:  # it did not get there: a wall, the floor, another fish
            self.counts["blocked"] += 1
            now_s = self._clock()
            self.records[-1] = replace(record, closed_s=now_s, ended_s=now_s, error_msg=str(error))
            self._initialise()
            return
        record = replace(record, closed_s=self._clock(), held=held)
        self.records[-1] = record
        self._on_progress(CatchStage.THROW, target.track_id, None)
        try:
            kept = self._moves.throw()  # line 21
        except (UnreachablePose, LimitViolation) as error:  # it has drifted to where no way leads out
            self.counts["let go"] += 1
            self._moves.release()
            self.records[-1] = replace(record, ended_s=self._clock(), error_msg=str(error))
        else:
            self.records[-1] = replace(record, kept=held and kept, ended_s=self._clock())
        self._initialise()  # line 22

    def _recover(self, reason: str, detail: str = "") -> None:
        """Line 8: to the ready pose, with an empty buffer."""
        self.counts[reason] += 1
        _LOG.info("back to ready: %s%s", reason, f" ({detail})" if detail else "")
        self._on_progress(CatchStage.READY, 0, None)
        self._forget()
        try:
            self._moves.servo_ready()
        except (UnreachablePose, LimitViolation) as error:
            _LOG.info("not by servo: %s", error)
            self._initialise()

    def _begin_track(self) -> None:
        self._track = []
        self._foreseen.clear()
        self._body.clear()

    def _forget(self) -> None:
        self._begin_track()
        self.tracker.reset()
