# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pytest

from anygrasp_bringup.dataclass_parameters import ConfigError, build_config, parameter_fields


class Mode(str, Enum):
    FAST = "fast"
    SAFE = "safe"


@dataclass(frozen=True)
class Limits:
    speed_m_s: float = 0.5  # of the tool
    # lower corner of the workspace,
    # base frame, metres
    corner: tuple[float, float, float] = (-1.0, 0.0, 0.5)

    def __post_init__(self) -> None:
        if self.speed_m_s <= 0.0:
            raise ValueError(f"speed_m_s is {self.speed_m_s}, but must be positive")


@dataclass(frozen=True)
class Config:
    name: str = "arm"
    attempts: int = field(default=3, metadata={"description": "tries", "range": (1, 10)})
    verbose: bool = False
    mode: Mode = Mode.SAFE
    folder: Path = Path("out")
    labels: tuple[str, ...] = ()
    tolerance_m: float | None = None
    limits: Limits = field(default_factory=lambda: Limits(speed_m_s=0.25))


def test_fields_are_flattened_with_plain_defaults():
    defaults = {leaf.name: leaf.default for leaf in parameter_fields(Config, "node")}
    assert defaults == {
        "node.name": "arm",
        "node.attempts": 3,
        "node.verbose": False,
        "node.mode": "safe",
        "node.folder": "out",
        "node.labels": [],
        "node.tolerance_m": None,
        "node.limits.speed_m_s": 0.25,
        "node.limits.corner": [-1.0, 0.0, 0.5],
    }


def test_descriptions_come_from_metadata_and_comments():
    texts = {leaf.name: leaf.description for leaf in parameter_fields(Config)}
    assert texts["attempts"] == "tries"
    assert texts["limits.speed_m_s"] == "of the tool"
    assert texts["limits.corner"] == "lower corner of the workspace, base frame, metres"
    assert texts["name"] == ""


def test_no_values_give_the_defaults():
    assert build_config(Config, {}) == Config()


def test_values_replace_defaults_and_take_the_fields_types():
    config = build_config(
        Config,
        {
            "mode": "fast",
            "folder": "/tmp",
            "labels": ["a", "b"],
            "tolerance_m": 1,
            "limits.corner": [0, 1, 2.5],
        },
    )
    assert config.mode is Mode.FAST
    assert config.folder == Path("/tmp")
    assert config.labels == ("a", "b")
    assert config.tolerance_m == 1.0
    assert type(config.tolerance_m) is float
    # The speed of the outer class' own default stays.
    assert config.limits == Limits(speed_m_s=0.25, corner=(0.0, 1.0, 2.5))


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'limits.sped_m_s'; did you mean 'limits.speed_m_s'"):
        build_config(Config, {"limits.sped_m_s": 1.0})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("attempts", 2.0, "attempts' is 2.0, but must be a whole number"),
        ("attempts", True, "attempts' is True, but must be a whole number"),
        ("verbose", "yes", "verbose' is 'yes', but must be true or false"),
        ("name", 3, "name' is 3, but must be a text"),
        ("tolerance_m", "1 mm", "tolerance_m' is '1 mm', but must be a number"),
        ("labels", "a", "labels' is 'a', but must be a list"),
        ("limits.corner", [1.0, 2.0], "has 2 values, but must have 3"),
        ("attempts", 11, r"attempts' is 11, but must be in \[1, 10\]"),
        ("mode", "slow", "mode' is 'slow', but must be one of fast, safe"),
        ("limits.speed_m_s", -1.0, "Limits: speed_m_s is -1.0, but must be positive"),
    ],
)
def test_bad_value_is_refused(name, value, message):
    with pytest.raises(ConfigError, match=message):
        build_config(Config, {name: value})


@dataclass(frozen=True)
class Address:
    ip: str


def test_value_without_default_must_be_given():
    with pytest.raises(ConfigError, match=r"'arm\.ip' has no default"):
        build_config(Address, {}, "arm")


@dataclass(frozen=True)
class Odd:
    table: dict[str, int] = field(default_factory=dict)


def test_field_that_is_no_parameter_is_refused():
    with pytest.raises(TypeError, match=r"Odd\.table is a dict"):
        parameter_fields(Odd)
