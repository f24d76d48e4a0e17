# SPDX-License-Identifier: Apache-2.0
import os
import signal
import subprocess
import sys
import threading

import pytest

from anygrasp_bringup.stop_signals import stop_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_is_called_in_another_thread_and_nothing_is_raised(number):
    stopped, thread = threading.Event(), []
    with stop_signals(lambda: (thread.append(threading.current_thread()), stopped.set())):
        os.kill(os.getpid(), number)
        assert stopped.wait(20.0)
    assert thread[0] is not threading.main_thread()


def test_handlers_are_restored():
    before = signal.getsignal(signal.SIGINT)
    with stop_signals(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_happens_without_a_signal():
    calls = []
    with stop_signals(lambda: calls.append(1)):
        pass
    assert calls == []


IN_C = """
import ctypes
from anygrasp_bringup.stop_signals import stop_signals

def stop():
    print("stopped", flush=True)

with stop_signals(stop):
    print("ready", flush=True)
    mutex = ctypes.create_string_buffer(64)  # zeros: PTHREAD_MUTEX_INITIALIZER
    for _ in range(2):  # the second time waits for ever, and no signal interrupts it
        ctypes.CDLL(None).pthread_mutex_lock(mutex)
"""


def test_stop_does_not_wait_for_the_main_thread_and_a_second_signal_ends_the_program():
    with subprocess.Popen([sys.executable, "-c", IN_C], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
