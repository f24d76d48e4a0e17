# SPDX-License-Identifier: Apache-2.0
"""Brings the checkout up to date: `python -m anygrasp_bringup.workspace_setup [--force] [--quiet]`."""

from __future__ import annotations

import argparse
import fcntl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anygrasp_bringup.workspace_setup.plan import Workspace
from anygrasp_bringup.workspace_setup.progress import SetupError, say
from anygrasp_bringup.workspace_setup.ros_source import find_ros

__all__ = ["main"]


def main() -> int:
    """Carry out the stages that are not up to date; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="./run setup", description="Install or update everything `./run` needs."
    )
    parser.add_argument("--force", action="store_true", help="do every stage again")
    parser.add_argument("--quiet", action="store_true", help="say nothing when everything is up to date")
    options = parser.parse_args()
    root = Path(__file__).resolve().parents[3]
    try:
        done = _bring_up_to_date(Workspace(root, find_ros()), force=options.force)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next ./run goes on from here")
        return 130
    if not done and not options.quiet:
        say("everything is up to date; `source .venv/bin/activate` for a shell in it")
    return 0


def _bring_up_to_date(workspace: Workspace, *, force: bool) -> bool:
    """Return whether anything had to be done."""
    stages, stamps = workspace.stages(), workspace.state / "stamps"
    if not force and all(stage.is_done(stamps) for stage in stages):
        return False
    begin = time.monotonic()
    with _alone(workspace.state):
        for number, stage in enumerate(stages, 1):
            if force or not stage.is_done(stamps):
                say(f"[{number}/{len(stages)}] {stage.summary}")
                stage.carry_out(stamps)
    say(f"ready after {time.monotonic() - begin:.0f} s")
    return True


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold the lock that keeps two set-ups from working at once."""
    state.mkdir(exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work here; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
