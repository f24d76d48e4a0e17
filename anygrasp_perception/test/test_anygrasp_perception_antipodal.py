# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest

from anygrasp_perception.antipodal import NO_GRIP, friction_quality, required_friction
from anygrasp_perception.grasp_score import GraspScoreConfig


@pytest.mark.parametrize("angle_deg", [0, 10, 45, 80])
def test_required_friction_is_the_tangent_of_the_angle(angle_deg):
    angle = np.deg2rad(angle_deg)
    normal = 3.0 * np.array([np.sin(angle), np.cos(angle), 0.0])  # of any length
    assert required_friction(normal, (0.0, 2.0, 0.0)) == pytest.approx(np.tan(angle), abs=1e-12)


@pytest.mark.parametrize("normal", [(0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)])
def test_surfaces_that_do_not_face_the_finger_give_no_grip(normal):
    assert required_friction(normal, (0.0, 1.0, 0.0)) == NO_GRIP


def test_required_friction_broadcasts():
    normals = np.array([[(0, 1, 0), (0, 1, 1)], [(0, 1, 0), (1, 2, 0)]])
    np.testing.assert_allclose(required_friction(normals, (0, 1, 0)), [(0, 1), (0, 0.5)])


def test_quality_by_hand():
    # ln(0.8 / 0.2) / ln(0.8 / 0.1) = 2 ln 2 / 3 ln 2
    np.testing.assert_allclose(
        friction_quality([0.0, 0.1, 0.2, 0.4, 0.8, NO_GRIP], 0.1, 0.8), [1, 1, 2 / 3, 1 / 3, 0, 0], atol=1e-12
    )


def test_perfect_grasp_scores_one():
    assert GraspScoreConfig().score(0.05, 1.0, 0.0) == pytest.approx(1.0)


def test_score_is_the_product_of_its_factors():
    config = GraspScoreConfig(
        best_friction=0.1,
        worst_friction=0.8,
        hold_scale_m=0.01,
        off_centre_loss=0.5,
        partial_contact_loss=0.6,
        tight_loss=0.4,
        hidden_loss=0.2,
    )
    score = config.score(0.2, 0.01 * np.log(2), 0.4, contact_share=0.5, room_share=0.5, free_share=0.0)
    assert score == pytest.approx(2 / 3 * 0.5 * 0.8 * 0.7 * 0.8 * 0.8)


def test_each_shortcoming_lowers_the_score():
    config, good = GraspScoreConfig(), {"friction": 0.2, "insertion_m": 0.02, "stable_score": 0.1}
    for worse in (
        {"friction": 0.3},
        {"insertion_m": 0.01},
        {"stable_score": 0.5},
        {"contact_share": 0.5},
        {"room_share": 0.5},
        {"free_share": 0.5},
    ):
        assert config.score(**(good | worse)) < config.score(**good)


def test_not_inserted_or_not_antipodal_scores_zero():
    np.testing.assert_array_equal(GraspScoreConfig().score([0.1, 0.9], [-0.01, 0.05], 0.0), 0.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("best_friction", 0.0),
        ("worst_friction", 0.1),
        ("hold_scale_m", 0.0),
        ("hidden_loss", 1.5),
        ("min_score", -1),
    ],
)
def test_config_out_of_range_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        GraspScoreConfig(**{field: value})
