# SPDX-License-Identifier: Apache-2.0
"""Drivers for the UR5 and the Robotiq 2F-85, safety limits, executors and their nodes."""
