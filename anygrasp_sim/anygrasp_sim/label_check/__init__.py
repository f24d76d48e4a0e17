# SPDX-License-Identifier: Apache-2.0
"""Do grasp labels tell what physics does? Executes label cells with a floating 2F-85 in MuJoCo."""
