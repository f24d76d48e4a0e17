# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from anygrasp_bringup.nodes.parameters import ConfigError, declare_parameters


@dataclass(frozen=True)
class Limits:
    speed_m_s: float = field(default=0.5, metadata={"range": (0.0, 1.0)})  # of the tool
    corner: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Config:
    attempts: int = 3
    tolerance_m: float | None = None
    limits: Limits = Limits()


@pytest.fixture(scope="module", autouse=True)
def ros(ros_domain) -> Iterator[None]:
    rclpy.init()
    yield
    rclpy.shutdown()


@pytest.fixture
def make_node(tmp_path):
    """Make a node with the parameters of a YAML text, the way a launch file passes them."""
    nodes = []

    def make(yaml: str = "{}") -> Node:
        file = tmp_path / "parameters.yaml"
        file.write_text(f"/**: {{ros__parameters: {yaml}}}")
        nodes.append(Node("arm", cli_args=["--ros-args", "--params-file", str(file)]))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def test_defaults_are_declared_and_returned(make_node):
    node = make_node()
    assert declare_parameters(node, Config) == Config()
    assert node.get_parameter("attempts").value == 3
    assert list(node.get_parameter("limits.corner").value) == [0.0, 0.0, 0.0]


def test_values_of_the_file_arrive_in_the_config_and_on_the_node(make_node):
    node = make_node("{use_sim_time: true, tolerance_m: 0.1, limits: {speed_m_s: 1, corner: [1, 2, 3]}}")
    config = declare_parameters(node, Config)
    assert config == Config(tolerance_m=0.1, limits=Limits(1.0, (1.0, 2.0, 3.0)))
    assert node.get_parameter("limits.speed_m_s").type_ == Parameter.Type.DOUBLE
    assert list(node.get_parameter("limits.corner").value) == [1.0, 2.0, 3.0]


def test_descriptor_has_description_and_range_and_is_read_only(make_node):
    node = make_node()
    declare_parameters(node, Config)
    descriptor = node.describe_parameter("limits.speed_m_s")
    assert descriptor.description == "of the tool"
    assert descriptor.floating_point_range[0].to_value == 1.0
    (result,) = node.set_parameters([Parameter("limits.speed_m_s", value=0.1)])
    assert not result.successful


def test_prefixes_hold_several_configs(make_node):
    node = make_node("{slow: {speed_m_s: 0.1}, fast: {speed_m_s: 0.9}}")
    assert declare_parameters(node, Limits, "slow").speed_m_s == 0.1
    assert declare_parameters(node, Limits, "fast").speed_m_s == 0.9
    assert declare_parameters(node, Config) == Config()


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("{limits: {sped_m_s: 0.1}}", "unknown parameter 'limits.sped_m_s'; did you mean 'limits.speed_m_s'"),
        ("{attempts: many}", "'attempts' is 'many', but must be a whole number"),
        ("{limits: {speed_m_s: 2.0}}", r"is 2.0, but must be in \[0.0, 1.0\]"),
    ],
)
def test_mistake_is_refused(make_node, yaml, message):
    with pytest.raises(ConfigError, match=message):
        declare_parameters(make_node(yaml), Config)


def test_unknown_name_under_a_prefix_is_refused(make_node):
    with pytest.raises(ConfigError, match=r"unknown parameter 'slow\.sped'"):
        declare_parameters(make_node("{slow: {sped: 0.1}}"), Limits, "slow")
