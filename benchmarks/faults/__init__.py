# SPDX-License-Identifier: Apache-2.0
"""The fault campaign: a simulated cell that breaks on request, and what the stack makes of it."""
