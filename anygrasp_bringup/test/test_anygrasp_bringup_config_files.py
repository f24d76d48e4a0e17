# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass

import pytest

from anygrasp_bringup.config_files import load_config_file, load_node_config
from anygrasp_bringup.dataclass_parameters import ConfigError


@dataclass(frozen=True)
class Speed:
    max_m_s: float = 1.0


@dataclass(frozen=True)
class Arm:
    ip: str = "127.0.0.1"
    speed: Speed = Speed()


@dataclass(frozen=True)
class Camera:
    serial: str = ""
    ip: str = ""


CLASSES = {"arm": Arm, "camera": Camera}


def load(tmp_path, text):
    file = tmp_path / "nodes.yaml"
    file.write_text(text)
    return load_config_file(file, CLASSES)


def test_nested_and_dotted_names_are_the_same(tmp_path):
    text = "{section}:\n  ros__parameters:\n    use_sim_time: true\n    {speed}\n"
    nested = load(tmp_path, text.format(section="arm", speed="speed: {max_m_s: 2}"))
    dotted = load(tmp_path, text.format(section="/cell/arm", speed="speed.max_m_s: 2.0"))
    assert nested == dotted == {"arm": Arm(speed=Speed(2.0))}


def test_wildcard_section_reaches_the_nodes_that_have_its_parameter(tmp_path):
    text = "/**: {ros__parameters: {ip: here, serial: '7'}}\narm: {ros__parameters: {}}\n"
    assert load(tmp_path, text) == {"arm": Arm(ip="here")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arm: {ros__parameters: {sped: {max_m_s: 1.0}}}", "did you mean 'speed.max_m_s'"),
        ("arn: {ros__parameters: {}}", "unknown node 'arn'; did you mean 'arm'"),
        ("/**: {ros__parameters: {id: x}}", "unknown parameter 'id'"),
        ("arm: {speed: 1.0}", "section 'arm' must hold 'ros__parameters:'"),
        ("arm: {ros__parameters: {speed: {max_m_s: fast}}}", "'fast', but must be a number"),
    ],
)
def test_mistake_is_refused_with_the_file_name(tmp_path, text, message):
    with pytest.raises(ConfigError, match=rf"nodes\.yaml: .*{message}"):
        load(tmp_path, text)


def test_one_node_is_read_alone(tmp_path):
    file = tmp_path / "nodes.yaml"
    file.write_text(
        "/**/arm:\n  ros__parameters:\n    ip: 10.0.0.1\nother:\n  ros__parameters:\n    unknown: 1\n"
    )
    assert load_node_config(file, "arm", Arm) == Arm(ip="10.0.0.1")
    assert load_node_config(file, "camera", Camera) == Camera()
    with pytest.raises(ConfigError, match=r"nodes\.yaml.*unknown"):
        load_node_config(file, "other", Camera)
