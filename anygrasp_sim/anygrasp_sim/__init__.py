# SPDX-License-Identifier: Apache-2.0
"""MuJoCo cells with a simulated depth camera and emulated robot controllers."""
