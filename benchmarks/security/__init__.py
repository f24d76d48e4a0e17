# SPDX-License-Identifier: Apache-2.0
"""Whether the policy under config/security means what it says, tried with keys on a DDS that has security."""
