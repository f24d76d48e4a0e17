# SPDX-License-Identifier: Apache-2.0
"""Grasp trials in physics: a face-to-face grasp holds, a steep one slips, a lopsided one turns."""

import numpy as np
import pytest
import trimesh

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_sim.label_check.bar import make_bar
from anygrasp_sim.label_check.diagnosis import diagnosis_table
from anygrasp_sim.label_check.draw import FRICTION_BINS, NO_FRICTION, draw_pool, share_out
from anygrasp_sim.label_check.experiment import LabelTrial
from anygrasp_sim.label_check.plot import counting_error
from anygrasp_sim.label_check.touch import Touch, TouchKind, touches
from anygrasp_sim.label_check.trial import Trial
from anygrasp_sim.label_check.trial_config import TrialConfig, TrialResult
from anygrasp_training.labels.mesh_rays import MeshRays
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


def test_an_object_is_held_fast_while_fingers_close_but_pushed_to_their_middle():
    """A box askew by 20 deg and 6 mm off: free it would turn until its sides lie on the pads."""
    item = assemble("carton", "carton", "snack", [box((0.05, 0.03, 0.08), (0, 0, 0), RED)], 500.0)
    c, s = np.cos(np.radians(20.0)), np.sin(np.radians(20.0))
    turned = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ R_OBJECT_GRASP
    grasp = grasp_at(0.0, 0.0, 0.04, 0.075).replace(
        rotation_matrices=turned[None], translations=np.array([[0.0, 0.0, 0.04]]) + 0.006 * turned[:, 1]
    )
    free = TrialConfig(support_n_s_m=5.0, support_closing_n_s_m=5.0, support_nm_s_rad=0.005)
    assert run(item, grasp).rolled_rad < np.radians(1.0)
    assert run(item, grasp, free).rolled_rad > np.radians(10.0)


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
            # Cells without a label carry what they need from an opening of 85 mm instead.
            assert bin_ is NO_FRICTION or np.all(friction >= bin_.lower)
            assert np.all(group.widths <= 0.085 + 1e-6)
    assert share_out(pools, 0, 3) == [(0, 0), (1, 0), (0, 1)]


def touch_of(mesh, z, width_m, turn_rad=0.0, y=0.0):
    """How pads meet a mesh from above, the tips at height `z`, turned about the approach."""
    spin = np.array(
        [[np.cos(turn_rad), -np.sin(turn_rad), 0], [np.sin(turn_rad), np.cos(turn_rad), 0], [0, 0, 1]]
    )
    grasp = grasp_at(0.0, y, z + 0.02, width_m).replace(rotation_matrices=(spin @ R_OBJECT_GRASP)[None])
    return touches(MeshRays(mesh), grasp)[0]


def test_touches_are_told_apart_by_what_meets_the_pad():
    block = trimesh.creation.box((0.08, 0.03, 0.08))
    flat = touch_of(block, 0.0, 0.04)
    assert flat.kind is TouchKind.FLAT
    assert flat.area == 1.0
    assert flat.spread_rad < 1e-3
    assert touch_of(block, 0.0, 0.06, np.radians(25)).kind is TouchKind.RIM_ON_FACE
    pillar = trimesh.creation.box((0.03, 0.03, 0.08))
    assert touch_of(pillar, 0.0, 0.06, np.radians(40)).kind is TouchKind.EDGE
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.03)
    assert touch_of(ball, 0.012, 0.07).kind is TouchKind.RIM_ON_CURVE
    past = touch_of(ball, -0.02, 0.07)
    assert past.kind is TouchKind.FLAT
    assert past.behind_m == pytest.approx(0.03 - np.sqrt(0.03**2 - 0.011**2), abs=5e-4)


def test_a_diagnosis_counts_each_class_that_occurs():
    flat, edge = (Touch(kind, 0.0, 0.5, 0.0) for kind in (TouchKind.FLAT, TouchKind.EDGE))
    last = FRICTION_BINS[-2]
    trials = [
        LabelTrial(last, "carton", 1.0, flat, TrialResult(True, 0.0, 0.0, 0.0)),
        LabelTrial(last, "carton", 1.0, edge, TrialResult(False, 0.5, np.inf, np.inf)),
        LabelTrial(NO_FRICTION, "carton", 3.0, edge, TrialResult(True, 0.5, 0.0, 0.0)),
    ]
    table = diagnosis_table(trials)
    assert "| flat on the pad, within 10 deg | 1 | 1 | 100% |" in table
    assert "| edge or corner of the object, inside the pad | 2 | 1 | 50% |" in table
    assert "| 20 deg or more | 2 | 1 | 50% |" in table
    assert TouchKind.RIM_ON_FACE.value not in table


def test_counting_error_is_wilsons():
    lower, upper = counting_error(9, 10)
    assert lower == pytest.approx(0.596, abs=1e-3)
    assert upper == pytest.approx(0.982, abs=1e-3)


@pytest.mark.parametrize("change", [{"friction": float("nan")}, {"lift_m": -0.1}, {"force": 1.5}])
def test_senseless_trials_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        TrialConfig(**change)
