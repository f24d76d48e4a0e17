# SPDX-License-Identifier: Apache-2.0
"""Draws docs/images/cell.png: the simulated cell with the gripper over the pile."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.se3 import inverse, make_transform
from anygrasp_sim.cell import BinPickingCell
from anygrasp_sim.cell_config import CellConfig
from anygrasp_sim.emulators.ur_kinematics import UrKinematics

OUTPUT = Path(__file__).parent / "images" / "cell.png"
OVER_PILE_M = (0.03, -0.47, 0.13)
MOVE_S = 2.5


def main() -> None:
    """Move the arm over the plate by joints and save the view from outside."""
    config = CellConfig(object_count=12, seed=4)
    T_base_tcp = make_transform(np.diag([1.0, -1.0, -1.0]), np.array(OVER_PILE_M))
    with BinPickingCell(config) as cell:
        start = np.array(config.home_joints_rad)
        goal = UrKinematics("ur5e").inverse(T_base_tcp @ inverse(config.T_tool0_tcp), start)
        if goal is None:
            raise RuntimeError(f"the arm does not reach {OVER_PILE_M} m")
        periods = round(MOVE_S / config.control_period_s)
        for period in range(periods):
            cell.command_joints(start + (goal - start) * (period + 1) / periods)
            cell.step()
        cell.step(50)
        picture = cell.overview(960, 720)
    cv2.imwrite(str(OUTPUT), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"wrote {OUTPUT}")


if __name__ == "__main__":
    main()
