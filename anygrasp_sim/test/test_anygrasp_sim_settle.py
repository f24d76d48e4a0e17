# SPDX-License-Identifier: Apache-2.0
"""Objects dropped into the plate end in it, at rest, and the same way every time."""

import mujoco
import numpy as np
import pytest

from anygrasp_sim.cell_config import CellConfig
from anygrasp_sim.settle import SettleError, settle_on_plate
from anygrasp_sim.world import build_world
from anygrasp_training.objects import draw_objects


def settle(config):
    objects = draw_objects(config.object_count, config.seed, config.families)
    model = build_world(config, objects)
    data = mujoco.MjData(model)
    data.qpos[:6] = data.ctrl[:6] = config.home_joints_rad
    names = [item.name for item in objects]
    settle_on_plate(model, data, names, config, np.random.default_rng(config.seed))
    return model, data, np.array([data.xpos[model.body(name).id] for name in names])


@pytest.mark.parametrize("seed", [0, 1])
def test_all_objects_rest_on_the_plate(seed):
    config = CellConfig(seed=seed, object_count=8)
    model, data, positions = settle(config)
    offset = np.abs(positions[:, :2] - config.plate_center_m)
    assert offset.max() < config.plate_inner_size_m / 2
    assert positions[:, 2].min() > config.plate_floor_m
    mujoco.mj_step(model, data, nstep=250)
    later = np.array(
        [
            data.xpos[body]
            for body in range(model.nbody)
            if model.body_jntnum[body]
            and model.jnt_type[model.body_jntadr[body]] == mujoco.mjtJoint.mjJNT_FREE
        ]
    )
    assert np.linalg.norm(later - positions, axis=1).max() < 0.005
    np.testing.assert_allclose(data.qpos[:6], config.home_joints_rad, atol=1e-3)


def test_the_same_seed_settles_the_same_way():
    config = CellConfig(seed=3, object_count=3)
    np.testing.assert_array_equal(settle(config)[2], settle(config)[2])


def test_too_small_a_plate_is_an_error_that_says_so():
    config = CellConfig(object_count=4, families=("wrench",), plate_inner_size_m=0.03)
    with pytest.raises(SettleError, match=r"4 objects.*fewer objects.*0\.03"):
        settle(config)
