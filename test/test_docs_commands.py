# SPDX-License-Identifier: Apache-2.0
"""What the guides tell people to type and to configure is accepted: commands, options, parameters, links."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from anygrasp_bringup.commands import bin_picking, doctor, fish_catching
from anygrasp_bringup.commands.__main__ import COMMANDS
from anygrasp_bringup.config_files import load_config_file
from anygrasp_perception.calibration import cli as calibrate
from anygrasp_perception.nodes.camera import CameraNodeConfig
from anygrasp_perception.nodes.grasp_detection_config import GraspDetectionConfig
from robot_drivers.bin_picking_config import BinPickingNodeConfig
from robot_drivers.nodes.fish_catching import FishCatchingNodeConfig

ROOT = Path(__file__).parents[1]
GUIDES = [
    ROOT / "docs" / f"{name}.md"
    for name in ("bring_up_ur5", "bring_up_flexiv", "calibration", "other_stacks")
]
PARSERS = {
    "bin_picking": bin_picking.parse,
    "calibrate": calibrate.parse,
    "doctor": doctor.parse,
    "fish_catching": fish_catching.parse,
}
NODES = {
    "bin_picking": BinPickingNodeConfig,
    "camera": CameraNodeConfig,
    "fish_catching": FishCatchingNodeConfig,
    "grasp_detection": GraspDetectionConfig,
}


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.M | re.S)


def commands(path: Path) -> list[list[str]]:
    """Words behind `./run` of every command in a block, or between backticks."""
    lines = [line for block in blocks(path, "") for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]*\./run [^`\n]+)`", path.read_text())
    found = [shlex.split(line.partition("./run ")[2], comments=True) for line in lines if "./run " in line]
    assert len(found) > 2
    return found


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_commands_are_accepted(path):
    for words in commands(path):
        name, *rest = words
        assert name in COMMANDS or name == "setup", words
        if name in PARSERS and rest:
            PARSERS[name](rest)
        if name == "launch":
            package, file, *arguments = rest
            assert package == "anygrasp_bringup"
            declared = launch_arguments(file)
            for argument in arguments:
                assert argument.partition(":=")[0] in declared, words


def launch_arguments(file: str) -> set[str]:
    return set(re.findall(r'DeclareLaunchArgument\(\s*"(\w+)"', (ROOT / "launch" / file).read_text()))


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_parameters_are_known_and_allowed(path, tmp_path):
    for block in blocks(path, "yaml"):
        file = tmp_path / "guide.yaml"
        file.write_text(block)
        configs = load_config_file(file, NODES)
        assert set(configs) == {key.rsplit("/", 1)[-1] for key in yaml.safe_load(block)}


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        file, _, heading = target.partition("#")
        found = path.parent / file
        assert found.exists(), target
        anchors = [
            re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
            for line in found.read_text().splitlines()
            if line.startswith("#")
        ] if found.suffix == ".md" else []  # fmt: skip
        assert not heading or heading in anchors, target
