# SPDX-License-Identifier: Apache-2.0
"""The depth cameras of the paper by name: D415 and D435 (simulated or statistical) and L515."""

from __future__ import annotations

from anygrasp_training.sensors.active_stereo import ActiveStereo, ActiveStereoConfig
from anygrasp_training.sensors.clean_view import DepthSensor
from anygrasp_training.sensors.dot_pattern import DotPattern
from anygrasp_training.sensors.infrared_camera import InfraredConfig
from anygrasp_training.sensors.statistical_stereo import StatisticalStereo, StatisticalStereoConfig
from anygrasp_training.sensors.stereo_matching import MatcherConfig
from anygrasp_training.sensors.stereo_rig import D415_RIG, D435_RIG
from anygrasp_training.sensors.time_of_flight import TimeOfFlight, TimeOfFlightConfig

__all__ = ["D415", "D415_STEREO", "D435", "D435_STEREO", "L515", "SENSOR_NAMES", "make_sensor"]

# Speckle, window and calibration error were set by hand until noise, correlation and holes came out as in the
# real frames (docs/results/depth_sensor_models.md).
D415_STEREO = ActiveStereoConfig(
    rig=D415_RIG,
    pattern=DotPattern(D415_RIG.projector_fov_deg),
    infrared=InfraredConfig(speckle=0.2),
    matcher=MatcherConfig(window_sigma_px=4.0),
    calibration_px=0.12,
    calibration_scale_px=22.0,
)
D435_STEREO = ActiveStereoConfig(
    rig=D435_RIG,
    pattern=DotPattern(D435_RIG.projector_fov_deg),
    infrared=InfraredConfig(speckle=0.6),
    matcher=MatcherConfig(
        block_px=9, smoothness=(8, 40), prefilter_cap=15, window_sigma_px=3.8, max_mismatch=1.6
    ),
    calibration_px=0.13,
    calibration_scale_px=40.0,
)

# As `python -m anygrasp_training.sensors.fit --realdata DIR --camera NAME` printed them.
D415 = StatisticalStereoConfig(
    rig=D415_RIG,
    noise=((1.0, 0.0044), (4.0, 0.0567), (8.0, 0.0494), (32.0, 0.0922)),
    window_px=3.0,
    surface_px=2.5,
    fattening_px=1.0,
    edge_jitter_px=0.6,
    edge_loss=0.1,
    left_right_px=0.25,
    dropout=0.0,
    dark_signal=0.01119,
    dark_spread=0.5,
    noise_exponent=0.04,
)
D435 = StatisticalStereoConfig(
    rig=D435_RIG,
    noise=((2.0, 0.1187), (4.0, 0.0852), (32.0, 0.2109)),
    window_px=4.0,
    surface_px=1.8,
    fattening_px=0.5,
    edge_jitter_px=1.0,
    edge_loss=0.1,
    left_right_px=0.0,
    dropout=0.0,
    dark_signal=0.01786,
    dark_spread=0.5,
    noise_exponent=0.14,
)

L515 = TimeOfFlightConfig()

SENSOR_NAMES = ("d415", "d415-stereo", "d435", "d435-stereo", "l515")


def make_sensor(name: str) -> DepthSensor:
    """Make a sensor by name; those ending in -stereo render infrared images and need a view of a scene.

    Raises ValueError, listing the names, for another one.
    """
    match name:
        case "d415":
            return StatisticalStereo(D415)
        case "d435":
            return StatisticalStereo(D435)
        case "d415-stereo":
            return ActiveStereo(D415_STEREO)
        case "d435-stereo":
            return ActiveStereo(D435_STEREO)
        case "l515":
            return TimeOfFlight(L515)
    raise ValueError(f"no depth sensor {name!r}; there are {', '.join(SENSOR_NAMES)}")
