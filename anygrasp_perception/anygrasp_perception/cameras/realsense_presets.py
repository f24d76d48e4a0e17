# SPDX-License-Identifier: Apache-2.0
"""What a preset sets in a RealSense, by product line."""

from __future__ import annotations

from typing import Any

from anygrasp_perception.cameras.realsense_config import RealSensePreset

__all__ = ["apply_preset"]

# preset -> product line -> (option, value), in this order: the visual preset overwrites the others. A name in
# the enum of that product line's visual presets stands for its number.
_SETTINGS: dict[RealSensePreset, dict[str, tuple[tuple[str, str | float], ...]]] = {
    RealSensePreset.NONE: {},
    # Depth that is there has to be right: a false point in a bin is a collision that is none, or a grasp on
    # nothing. The projector gives bare plastic and metal the texture they lack.
    RealSensePreset.BIN_PICKING: {
        "D400": (("visual_preset", "high_accuracy"), ("emitter_enabled", 1), ("global_time_enabled", 1)),
        "L500": (("visual_preset", "short_range"), ("global_time_enabled", 1)),
    },
    # As few holes as possible, for dark or shiny objects that high accuracy loses.
    RealSensePreset.DENSE: {
        "D400": (("visual_preset", "high_density"), ("emitter_enabled", 1), ("global_time_enabled", 1)),
        "L500": (("visual_preset", "low_ambient_light"), ("global_time_enabled", 1)),
    },
}
_VISUAL_PRESETS = {"D400": "rs400_visual_preset", "L500": "l500_visual_preset"}


def apply_preset(rs: Any, device: Any, preset: RealSensePreset) -> list[str]:
    """Set the preset's options on a librealsense device; return one line each, on what was set and what not.

    An option that the camera lacks or refuses is left as it is: it streams without it.
    """
    if not device.supports(rs.camera_info.product_line):
        return (
            []
            if preset is RealSensePreset.NONE
            else [f"preset {preset.value}: the camera is of no known line"]
        )
    line = device.get_info(rs.camera_info.product_line)
    settings = _SETTINGS[preset].get(line, ())
    if preset is not RealSensePreset.NONE and not settings:
        return [f"preset {preset.value}: nothing is known for product line {line}"]
    sensor = device.first_depth_sensor()
    notes = []
    for name, value in settings:
        option = getattr(rs.option, name)
        number = int(getattr(getattr(rs, _VISUAL_PRESETS[line]), value)) if isinstance(value, str) else value
        if not sensor.supports(option):
            notes.append(f"{name}: this camera has none")
            continue
        try:
            sensor.set_option(option, number)
        except RuntimeError as error:  # such as a value that this firmware does not know
            notes.append(f"{name} = {value} refused: {error}")
        else:
            notes.append(f"{name} = {value}")
    return notes
