# SPDX-License-Identifier: Apache-2.0
"""The checks of `./run doctor`: what a machine, a camera and a robot need, and what to do about what is missing."""
