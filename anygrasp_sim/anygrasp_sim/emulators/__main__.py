# SPDX-License-Identifier: Apache-2.0
"""`python -m anygrasp_sim.emulators`: an emulated UR controller to try ur_rtde programs on."""

from __future__ import annotations

import argparse
import logging
import threading

from anygrasp_sim.emulators.robot_backend import KinematicBackend
from anygrasp_sim.emulators.tcp_server import PortInUseError
from anygrasp_sim.emulators.ur_controller import UrController
from anygrasp_sim.emulators.ur_kinematics import UR_GEOMETRIES


def main() -> None:
    """Run a controller without physics until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m anygrasp_sim.emulators", description=__doc__)
    parser.add_argument("--model", choices=sorted(UR_GEOMETRIES), default="ur5e")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    parser.add_argument("--rate-hz", type=float, default=125.0, help="controller rate (default: %(default)s)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    period_s = 1.0 / arguments.rate_hz
    try:
        with UrController(arguments.model, KinematicBackend(period_s=period_s), arguments.host) as controller:
            controller.run_realtime(period_s)
            ports = sorted(controller.connections())
            print(f"{arguments.model} on {arguments.host}, ports {ports}; Ctrl-C ends")
            threading.Event().wait()
    except KeyboardInterrupt:
        print("ended")
    except PortInUseError as error:
        parser.exit(1, f"{error.strerror}\n")


if __name__ == "__main__":
    main()
