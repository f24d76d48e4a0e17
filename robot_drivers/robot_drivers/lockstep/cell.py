# SPDX-License-Identifier: Apache-2.0
"""The simulated cell with its robot in lock-step, watched by a record of where the objects were."""

from __future__ import annotations

from types import TracebackType

from anygrasp_sim.cell import BinPickingCell
from anygrasp_sim.cell_config import CellConfig
from robot_drivers.lockstep.robot import LockstepRobot
from robot_drivers.report.ground_truth import CellSnapshot, ObjectState, Place

__all__ = ["LockstepCell"]


class LockstepCell:
    """A `BinPickingCell` that `robot` moves and steps; `history` holds the truth about its objects.

    Args:
        config: of the cell.
        objects_rate_hz: entries of the history in a simulated second.

    Raises:
        ValueError, SettleError: as of BinPickingCell.
    """

    def __init__(self, config: CellConfig, objects_rate_hz: float = 10.0) -> None:
        if not objects_rate_hz > 0.0:
            raise ValueError(f"objects_rate_hz is {objects_rate_hz}; it must be positive")
        self.cell = BinPickingCell(config)
        self.robot = LockstepRobot(self.cell, config.control_period_s, self._step)
        self.history: list[CellSnapshot] = []
        self._every_s = 1.0 / objects_rate_hz
        self._next_s = 0.0
        self.note_objects()

    def note_objects(self) -> None:
        """Put down where the objects are now."""
        states = tuple(
            ObjectState(
                name=state.name,
                category=state.category,
                place=Place(int(state.place)),
                T_world_object=state.T_base_object,
                size_m=(float(state.size_m[0]), float(state.size_m[1]), float(state.size_m[2])),
            )
            for state in self.cell.object_states()
        )
        self.history.append(CellSnapshot(self.robot.now_s(), states))
        self._next_s = self.robot.now_s() + self._every_s

    def refill(self) -> None:
        """Put all objects back onto the plate and begin the history anew; see BinPickingCell."""
        self.cell.refill()
        self.history.clear()
        self.note_objects()

    def close(self) -> None:
        """Free the camera."""
        self.cell.close()

    def __enter__(self) -> LockstepCell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _step(self) -> None:
        self.cell.step()
        if self.robot.now_s() >= self._next_s:
            self.note_objects()
