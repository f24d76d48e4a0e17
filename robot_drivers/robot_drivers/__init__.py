# SPDX-License-Identifier: Apache-2.0
"""UR5 and Robotiq 2F-85 drivers, safety limits, executors and their nodes."""
