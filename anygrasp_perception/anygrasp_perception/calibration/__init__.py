# SPDX-License-Identifier: Apache-2.0
"""Hand-eye calibration with a printed board: where the camera is, and whether its intrinsics are right."""
