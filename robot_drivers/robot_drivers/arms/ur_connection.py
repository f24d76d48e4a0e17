# SPDX-License-Identifier: Apache-2.0
"""What a `UrArm` sends its requests through: one session at a time, given up when it breaks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from robot_drivers.arms.arm import ArmLost
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_link import UrLink

__all__ = ["UrConnection"]

_LOG = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


class UrConnection:
    """Usable from any thread; once lost it stays so, and says why, until it is opened again.

    Args:
        open_link: connects to the controller.
    """

    def __init__(self, config: UrArmConfig, open_link: Callable[[UrArmConfig], UrLink]) -> None:
        self._config = config
        self._open_link = open_link
        self._session: UrLink | None = None
        self._why_closed = ""

    @property
    def is_open(self) -> bool:
        """Whether there is a session, as far as is known."""
        return self._session is not None

    def open(self) -> None:
        """Connect; raises what `open_link` raises."""
        self._session = self._open_link(self._config)

    def close(self) -> None:
        """Bring the arm to rest and disconnect."""
        session, self._session = self._session, None
        self._why_closed = ""
        if session is not None:
            session.close()

    def ask(self, request: Callable[[UrLink], _Answer]) -> _Answer:
        """What `request` gets from the session.

        Raises:
            ArmLost: there is none, or it broke.
        """
        session = self._session
        if session is None:
            raise ArmLost(
                self._why_closed or f"not connected to the UR at {self._config.robot_ip}: call connect first"
            )
        try:
            return request(session)
        except ArmLost as lost:
            _LOG.error("%s", lost)
            if self._session is session:  # else another thread has noticed, and maybe connected again
                self._why_closed, self._session = str(lost), None
            session.abandon()
            raise
