# SPDX-License-Identifier: Apache-2.0
"""The loop of one bin-picking run."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from anygrasp_perception.grasp_group import GraspGroup
from robot_drivers.arms.arm import Arm
from robot_drivers.executors.bin_picking_config import BinPickingConfig
from robot_drivers.executors.failure_memory import FailureMemory
from robot_drivers.executors.grasp_selection import Selection, select_grasp
from robot_drivers.executors.perception import Perceive, Perception, PerceptionError
from robot_drivers.executors.pick import OnEvent, PickSequence
from robot_drivers.executors.pick_errors import PickFailed
from robot_drivers.executors.pick_record import PickRecord, PickStage
from robot_drivers.executors.stop_switch import StopSwitch
from robot_drivers.safety import SafetyLimits

__all__ = ["BinRun"]

_LOG = logging.getLogger(__name__)


class BinRun:
    """Perceives, selects and picks; what it has done so far stays readable when `execute` raises."""

    def __init__(
        self,
        config: BinPickingConfig,
        arm: Arm,
        limits: SafetyLimits,
        perceive: Perceive,
        sequence: PickSequence,
        stop: StopSwitch,
        clock: Callable[[], float],
        on_event: OnEvent,
    ) -> None:
        self.records: list[PickRecord] = []
        self.empty_perceptions = 0  # in a row
        self.why_no_grasp = ""  # of the last perception, when it gave none
        self._config = config
        self._arm = arm
        self._limits = limits
        self._perceive = perceive
        self._sequence = sequence
        self._stop = stop
        self._clock = clock
        self._on_event = on_event
        self._memory = FailureMemory(config.memory)
        self._failed_perceptions = 0  # in a row
        self._at_home = False

    def execute(self, max_attempts: int) -> None:
        """Pick until nothing graspable is seen, or `max_attempts` (0: no limit); ends at home.

        Raises:
            PickFailed: the run ended early; nothing has moved since.
        """
        self._go_home()
        while self.empty_perceptions < self._config.max_empty_perceptions:
            if 0 < max_attempts <= len(self.records):
                break
            self._look_and_pick()
        self._go_home()

    def _look_and_pick(self) -> None:
        next_record = PickRecord(attempt=len(self.records) + 1)
        self._on_event(PickStage.PERCEIVE, next_record)
        begin_s = self._clock()
        perception = self._look()
        if perception is None:
            return
        perceive_s = self._clock() - begin_s
        self._on_event(PickStage.CHECK, next_record)
        selection, selection_s = self._select(perception)
        if selection.target is None:
            self._count_empty(perception, selection)
            return
        self.empty_perceptions, self.why_no_grasp = 0, ""
        record = perception.record(selection.index, next_record.attempt)
        record = replace(record, started_s=self._clock(), decision_s=record.decision_s + selection_s)
        record = record.with_stage(PickStage.PERCEIVE, perceive_s)
        self._finish(self._sequence.run(selection.target, record), selection.target.grasp)

    def _look(self) -> Perception | None:
        """Grasps of an image taken once the scene has settled; None when there was no answer."""
        self._stop.check()
        try:
            perception = self._perceive(self._clock() + self._config.settle_s)
        except PerceptionError as error:
            self._stop.check()
            self._failed_perceptions += 1
            _LOG.warning("perception %d in a row failed: %s", self._failed_perceptions, error)
            if self._failed_perceptions >= self._config.max_failed_perceptions:
                raise PickFailed(
                    error.code, f"{self._failed_perceptions} perceptions in a row failed, the last: {error}"
                ) from error
            return None
        self._stop.check()
        self._failed_perceptions = 0
        return perception

    def _select(self, perception: Perception) -> tuple[Selection, float]:
        """The selection and the wall time it took, seconds."""
        began_s = time.perf_counter()
        with self._sequence.devices():
            selection = select_grasp(
                perception.grasps_base, self._arm, self._limits, self._config.target, self._memory
            )
        return selection, time.perf_counter() - began_s

    def _count_empty(self, perception: Perception, selection: Selection) -> None:
        self.empty_perceptions += 1
        self.why_no_grasp = selection.summary()
        if perception.rejected:
            most_first = Counter(perception.rejected).most_common()
            dropped = ", ".join(f"{count} {reason}" for reason, count in most_first)
            self.why_no_grasp += f"; the detector dropped {dropped}"
        _LOG.info("no grasp (%d in a row): %s", self.empty_perceptions, self.why_no_grasp)
        self._go_home()  # in case the arm hides what is left

    def _finish(self, record: PickRecord, grasp: GraspGroup) -> None:
        self.records.append(record)
        self._on_event(PickStage.DONE, record)
        self._at_home = record.error_code is not None
        if record.error_code is None:
            self._memory.succeeded(grasp)
            return
        self._memory.failed(grasp)
        _LOG.info("attempt %d failed: %s: %s", record.attempt, record.error_code.value, record.error_msg)
        if record.error_code.ends_run:
            raise PickFailed(record.error_code, record.error_msg)

    def _go_home(self) -> None:
        if not self._at_home:
            self._sequence.home_and_open()
            self._at_home = True
