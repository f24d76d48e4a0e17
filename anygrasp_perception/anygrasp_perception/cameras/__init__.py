# SPDX-License-Identifier: Apache-2.0
"""RGB-D cameras: a RealSense or its recording, and a folder of images."""
