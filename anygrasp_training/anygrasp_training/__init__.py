# SPDX-License-Identifier: Apache-2.0
"""Procedural objects with physics, for simulation and for training data."""
