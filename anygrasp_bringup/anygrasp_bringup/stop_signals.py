# SPDX-License-Identifier: Apache-2.0
"""React to Ctrl-C and SIGTERM at once, whatever the main thread is doing."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stop_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` in a thread of its own at the first signal; a second one ends the program at once.

    Python runs signal handlers in the main thread, and only between its own instructions, so not during a
    wait in C; but it writes the signal's number to the wake-up file right away. Main thread only.
    """
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    with receiver, sender:
        watcher = threading.Thread(target=_watch, args=(receiver, stop), name="stop_signals")
        watcher.start()
        before = {number: signal.signal(number, _ignore) for number in _SIGNALS}
        wakeup_before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            sender.shutdown(socket.SHUT_WR)  # ends the watcher
            watcher.join()


def _watch(receiver: socket.socket, stop: Callable[[], None]) -> None:
    stopping: threading.Thread | None = None
    while received := receiver.recv(1):
        number = received[0]
        if number not in _SIGNALS:
            continue
        if stopping is not None:
            os._exit(128 + number)
        stopping = threading.Thread(target=stop, name="stop")
        stopping.start()
    if stopping is not None:
        stopping.join()


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing in the main thread: the watcher acts."""
