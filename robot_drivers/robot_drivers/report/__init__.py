# SPDX-License-Identifier: Apache-2.0
"""What a run achieved: success rates, the table of the paper and pictures of the picks."""
