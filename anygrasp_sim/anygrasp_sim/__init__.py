# SPDX-License-Identifier: Apache-2.0
"""MuJoCo cells with a simulated depth camera and controllers that speak the real robots' protocols."""
