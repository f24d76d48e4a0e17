# SPDX-License-Identifier: Apache-2.0
"""Emulators of robot controllers that the real vendor clients connect to over TCP."""
