# SPDX-License-Identifier: Apache-2.0
"""Whether an action is carried out (API of launch.conditions)."""

from __future__ import annotations

from anygrasp_bringup.launch_runner.context import LaunchContext
from anygrasp_bringup.launch_runner.substitutions import SomeText, is_true, perform

__all__ = [
    "Condition",
    "IfCondition",
    "LaunchConfigurationEquals",
    "LaunchConfigurationNotEquals",
    "UnlessCondition",
]


class Condition:
    """Base of the conditions."""

    def evaluate(self, context: LaunchContext) -> bool:
        """Return whether the action is carried out."""
        raise NotImplementedError


class IfCondition(Condition):
    """Where the text is true."""

    def __init__(self, predicate_expression: SomeText) -> None:
        self._predicate = predicate_expression

    def evaluate(self, context: LaunchContext) -> bool:
        return is_true(perform(self._predicate, context))


class UnlessCondition(IfCondition):
    """Where the text is false."""

    def evaluate(self, context: LaunchContext) -> bool:
        return not super().evaluate(context)


class LaunchConfigurationEquals(Condition):
    """Where a launch configuration has a value; None: where it is not set."""

    def __init__(self, launch_configuration_name: str, expected_value: SomeText | None) -> None:
        self._name = launch_configuration_name
        self._expected = expected_value

    def evaluate(self, context: LaunchContext) -> bool:
        expected = None if self._expected is None else perform(self._expected, context)
        return context.launch_configurations.get(self._name) == expected


class LaunchConfigurationNotEquals(LaunchConfigurationEquals):
    """Where a launch configuration has another value."""

    def evaluate(self, context: LaunchContext) -> bool:
        return not super().evaluate(context)
