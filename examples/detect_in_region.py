# SPDX-License-Identifier: Apache-2.0
"""Ask once for grasps from above in a box: 30 cm wide, 10 cm above to 5 cm below the table of a known frame.

    python examples/detect_in_region.py FRAME       a TF frame with z up, such as base

Needs a detection node and TF from FRAME to the camera. Ends with 0 when there are grasps, else with 1.
"""

import math
import sys

import rclpy
from geometry_msgs.msg import Point, Vector3

from anygrasp_msgs.srv import DetectGrasps


def main():
    frame = sys.argv[1] if len(sys.argv) > 1 else "base"
    rclpy.init()
    node = rclpy.create_node("region_asker")
    client = node.create_client(DetectGrasps, "/anygrasp/detect")
    if not client.wait_for_service(timeout_sec=20.0):
        sys.exit("no service /anygrasp/detect: does the detection node run?")
    request = DetectGrasps.Request(
        newer_than=node.get_clock().now().to_msg(),  # what the camera saw before may be gone
        timeout_s=5.0,
        max_grasps=5,
        use_region=True,
        region_frame=frame,
        region_min=Point(x=-0.15, y=-0.15, z=-0.05),
        region_max=Point(x=0.15, y=0.15, z=0.10),
        use_approach=True,
        approach_frame=frame,
        approach=Vector3(x=0.0, y=0.0, z=-1.0),
        approach_cone_rad=math.radians(25.0),
    )
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=60.0)
    answer = future.result()
    node.destroy_node()
    rclpy.try_shutdown()
    if answer is None:
        sys.exit("no answer within 60 s")
    if answer.error_code:
        sys.exit(f"{answer.error_code}: {answer.error_msg}")
    for grasp in answer.grasps.grasps:
        p = grasp.pose.position  # in the camera's frame, as the header says
        print(f"score {grasp.score:.2f} at ({p.x:.3f}, {p.y:.3f}, {p.z:.3f}) m, open {grasp.width:.3f} m")
    if not answer.grasps.grasps:
        print("no grasp:", ", ".join(f"{count.reason} {count.count}" for count in answer.grasps.rejected))
    sys.exit(0 if answer.grasps.grasps else 1)


if __name__ == "__main__":
    main()
