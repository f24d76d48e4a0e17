# SPDX-License-Identifier: Apache-2.0
"""What the robot does with grasps: ROS-free task logic over the arm and gripper protocols."""
