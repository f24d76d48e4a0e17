# SPDX-License-Identifier: Apache-2.0
"""The worker's snapshot when states arrive while it is being put together."""

import pytest

from robot_drivers.arms.ur_client_worker import UrClientWorker
from robot_drivers.arms.ur_script import BEGUN_REGISTER

PLAYING, STOPPED = 2, 1
MOVING = (PLAYING, 5, 4)  # runtime state, number of the program begun, of the one ended
DONE = (STOPPED, 5, 5)
HALTED = (STOPPED, 5, 4)


class ChangingReceive:
    """Stands for RTDEReceiveInterface, whose thread replaces the state at any time: here at the nth read."""

    def __init__(self, states, change_at: int) -> None:
        self._states, self._change_at, self.reads = states, change_at, 0

    def __getattr__(self, name):
        def read(*arguments):
            state = self._states[self.reads >= self._change_at]
            self.reads += 1
            if name == "getRuntimeState":
                return state[0]
            if name == "getOutputIntRegister":
                return state[1] if arguments[0] == BEGUN_REGISTER else state[2]
            return [0.0] * 6 if name in ("getActualQ", "getActualQd", "getActualTCPPose") else 0.0

        return read


def snapshot(states, change_at: int):
    worker = UrClientWorker(None, "127.0.0.1", 500.0, 1.0)
    worker._receive, worker._registers = ChangingReceive(states, change_at), True
    return worker._snapshot(), worker._receive.reads


READS = snapshot((DONE, DONE), 0)[1]


@pytest.mark.parametrize("change_at", range(READS + 1))
def test_a_program_that_ends_meanwhile_is_never_taken_for_a_stopped_one(change_at):
    now, _ = snapshot((MOVING, DONE), change_at)
    assert now.program_running or not now.operation_running


def test_a_program_that_was_stopped_is_seen_to_be():
    now, _ = snapshot((HALTED, HALTED), 0)
    assert now.operation_running
    assert not now.program_running
