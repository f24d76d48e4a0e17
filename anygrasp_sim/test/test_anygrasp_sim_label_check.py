# SPDX-License-Identifier: Apache-2.0
"""Grasp trials in physics: a face-to-face grasp holds, a steep one slips, a lopsided one turns."""

import numpy as np
import pytest

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_sim.label_check.bar import make_bar
from anygrasp_sim.label_check.draw import FRICTION_BINS, draw_pool, share_out
from anygrasp_sim.label_check.plot import counting_error
from anygrasp_sim.label_check.trial import Trial
from anygrasp_sim.label_check.trial_config import TrialConfig
from anygrasp_training.objects.procedural_object import assemble
from anygrasp_training.objects.shapes import box, hull

RED = (1.0, 0.0, 0.0)
# From above (approach -z), closing along y.
R_OBJECT_GRASP = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])


def grasp_at(x, y, z, width_m):
    return GraspGroup.from_arrays(
        rotation_matrices=R_OBJECT_GRASP[None],
        translations=np.array([[x, y, z]]),
        widths=[width_m],
        scores=[1.0],
        depths=[0.02],
    )


def run(item, grasp, config=None, seed=0):
    return Trial(item, grasp, config or TrialConfig()).run(np.random.default_rng(seed))


def wedge(half_angle_deg):
    """A prism along x whose sides lean towards each other, narrow above: closing fingers slide up and off."""
    tan = np.tan(np.radians(half_angle_deg))
    corners = [
        (x, side * (0.03 - (z + 0.03) * tan), z)
        for x in (-0.03, 0.03)
        for side in (-1, 1)
        for z in (-0.03, 0.0)
    ]
    return assemble("wedge", "wedge", "toy", [hull(corners, RED)], 400.0)


def test_a_box_held_face_to_face_stays_put():
    item = assemble("carton", "carton", "snack", [box((0.05, 0.03, 0.08), (0, 0, 0), RED)], 500.0)
    result = run(item, grasp_at(0.0, 0.0, 0.04, 0.04))
    assert result.held
    assert result.slip_m < 0.001
    assert result.turn_rad < np.radians(1.0)


def test_sides_within_the_friction_cone_hold_and_steeper_ones_slip():
    # Friction 0.6 holds sides that lean by up to atan 0.6 = 31 deg.
    for half_angle_deg, held in ((15.0, True), (42.0, False)):
        item = wedge(half_angle_deg)
        top = float(item.mesh.vertices[:, 2].max())
        assert run(item, grasp_at(0.0, 0.0, top, 0.07)).held is held, half_angle_deg


def test_fingers_that_close_on_nothing_hold_nothing():
    item = assemble("carton", "carton", "snack", [box((0.05, 0.03, 0.08), (0, 0, 0), RED)], 500.0)
    result = run(item, grasp_at(0.0, 0.0, 0.10, 0.04))
    assert not result.held
    assert result.turn_rad == np.inf


def test_a_heavy_bar_turns_in_the_hand_when_held_off_its_centre():
    config = TrialConfig(max_tilt_rad=0.0, shake_s=0.0)
    balanced, lopsided = (run(make_bar(), grasp_at(x, 0.0, 0.0125, 0.035), config) for x in (0.0, 0.11))
    assert balanced.turn_rad < np.radians(2.0)
    assert lopsided.turn_rad > np.radians(20.0)


def test_cells_are_drawn_from_their_bins_and_pools_take_turns():
    pools = [draw_pool(family, 0, points=3, cells=2, seed=0) for family in ("carton", "brick")]
    for pool in pools:
        for bin_, friction, group in zip(FRICTION_BINS, pool.friction, pool.grasps, strict=True):
            assert len(group) == len(friction) <= 2
            assert np.all(friction >= bin_.lower)
            assert np.all(group.widths <= 0.085 + 1e-6)
    assert share_out(pools, 0, 3) == [(0, 0), (1, 0), (0, 1)]


def test_counting_error_is_wilsons():
    lower, upper = counting_error(9, 10)
    assert lower == pytest.approx(0.596, abs=1e-3)
    assert upper == pytest.approx(0.982, abs=1e-3)


@pytest.mark.parametrize("change", [{"friction": float("nan")}, {"lift_m": -0.1}, {"force": 1.5}])
def test_senseless_trials_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        TrialConfig(**change)
