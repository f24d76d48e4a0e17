# SPDX-License-Identifier: Apache-2.0
"""The checks of `./run doctor`: what machine, camera and robot need, and what to do where it is missing."""
