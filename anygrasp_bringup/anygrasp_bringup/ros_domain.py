# SPDX-License-Identifier: Apache-2.0
"""Reserve a ROS domain on this machine, so that tests running side by side do not hear each other."""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["reserved_ros_domain"]

_DOMAINS = range(1, 102)  # 0 is everybody's; above 101 the ports run into Linux' ephemeral ones
_next_domain = itertools.count(os.getpid())  # a new one each time: what a test left behind stays alone


@contextmanager
def reserved_ros_domain() -> Iterator[int]:
    """Set ROS_DOMAIN_ID to a domain that no other process has reserved; raises RuntimeError without one."""
    for _ in _DOMAINS:
        domain = _DOMAINS[next(_next_domain) % len(_DOMAINS)]
        with (Path(tempfile.gettempdir()) / f"ros_domain_{domain}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            before = os.environ.get("ROS_DOMAIN_ID")
            os.environ["ROS_DOMAIN_ID"] = str(domain)
            try:
                yield domain
            finally:
                del os.environ["ROS_DOMAIN_ID"]
                if before is not None:
                    os.environ["ROS_DOMAIN_ID"] = before
            return
    raise RuntimeError(f"all ROS domains from {_DOMAINS[0]} to {_DOMAINS[-1]} are reserved by running tests")
