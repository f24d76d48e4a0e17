# SPDX-License-Identifier: Apache-2.0
"""Events, and what follows them (API of launch.events, launch.event_handlers and their actions)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anygrasp_bringup.launch_runner.actions import Action, visit
from anygrasp_bringup.launch_runner.conditions import Condition
from anygrasp_bringup.launch_runner.context import LaunchContext, LaunchError
from anygrasp_bringup.launch_runner.substitutions import SomeText, perform

__all__ = [
    "EmitEvent",
    "EventHandler",
    "OnProcessExit",
    "OnProcessStart",
    "OnShutdown",
    "ProcessExited",
    "ProcessStarted",
    "RegisterEventHandler",
    "Shutdown",
    "ShutdownEvent",
    "UnregisterEventHandler",
    "emit",
]


@dataclass(frozen=True)
class ShutdownEvent:
    """The launch ends (launch.events.Shutdown)."""

    reason: SomeText = "reason not given"
    due_to_sigint: bool = False


@dataclass(frozen=True)
class ProcessStarted:
    """A process runs."""

    action: Action
    process_name: str
    pid: int


@dataclass(frozen=True)
class ProcessExited:
    """A process has ended."""

    action: Action
    process_name: str
    pid: int
    returncode: int


class EventHandler:
    """Base: visits entities, or calls a function that may return some, when its event comes."""

    event_type: type

    def __init__(self, target_action: Any, response: Any) -> None:
        self._target = target_action
        self._response = response

    def matches(self, event: object) -> bool:
        """Whether the event is of this handler's type and target."""
        if not isinstance(event, self.event_type):
            return False
        action = getattr(event, "action", None)
        if self._target is None or isinstance(self._target, Action):
            return self._target in (None, action)
        return bool(self._target(action)) if callable(self._target) else action in self._target

    def handle(self, event: object, context: LaunchContext) -> None:
        """Carry out the response."""
        response = self._response
        visit(response(event, context) if callable(response) else response, context)


class OnProcessExit(EventHandler):
    """When a process ends."""

    event_type = ProcessExited

    def __init__(self, *, target_action: Any = None, on_exit: Any) -> None:
        super().__init__(target_action, on_exit)


class OnProcessStart(EventHandler):
    """When a process starts."""

    event_type = ProcessStarted

    def __init__(self, *, target_action: Any = None, on_start: Any) -> None:
        super().__init__(target_action, on_start)


class OnShutdown(EventHandler):
    """When the launch ends."""

    event_type = ShutdownEvent

    def __init__(self, *, on_shutdown: Any) -> None:
        super().__init__(None, on_shutdown)


def emit(event: object, context: LaunchContext) -> None:
    """Call every handler that the event matches."""
    for handler in list(context.event_handlers):
        if handler.matches(event):
            handler.handle(event, context)


class RegisterEventHandler(Action):
    """Watch for an event from now on."""

    def __init__(self, event_handler: EventHandler, *, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self._handler = event_handler

    def execute(self, context: LaunchContext) -> None:
        context.event_handlers.append(self._handler)


class UnregisterEventHandler(RegisterEventHandler):
    """Stop watching."""

    def execute(self, context: LaunchContext) -> None:
        if self._handler in context.event_handlers:
            context.event_handlers.remove(self._handler)


class Shutdown(Action):
    """End the launch."""

    def __init__(self, *, reason: SomeText = "reason not given", condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self._reason = reason

    def execute(self, context: LaunchContext) -> None:
        context.launcher.shutdown(perform(self._reason, context))


class EmitEvent(Action):
    """Emit an event; this runner knows Shutdown."""

    def __init__(self, *, event: object, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self._event = event

    def execute(self, context: LaunchContext) -> None:
        if not isinstance(self._event, ShutdownEvent):
            raise LaunchError(f"this runner can emit launch.events.Shutdown only, not {self._event!r}")
        context.launcher.shutdown(perform(self._event.reason, context))
