# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The simulated scene for rviz."""

from collections.abc import Sequence

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from vla_control.runtime.simulation import Scene
from vla_control.sim.layout import COLOURS
from vla_control.sim.scene import SceneSpec

COLOUR = {'red': (0.85, 0.15, 0.12), 'green': (0.15, 0.65, 0.2), 'blue': (0.15, 0.3, 0.85)}
WOOD = (0.75, 0.68, 0.58)
WHITE = (0.95, 0.95, 0.95)


def scene_markers(spec: SceneSpec, scene: Scene, frame: str, stamp: Time) -> MarkerArray:
    """
    Return the table, the plate and the cubes.

    :param frame: in which the scene is given: the robot's root.
    """
    header = Header(frame_id=frame, stamp=stamp)
    still = (1.0, 0.0, 0.0, 0.0)
    side = spec.cubes.side
    width, height = 2.0 * spec.plate.radius, spec.plate.height
    markers = [
        _marker(header, 0, Marker.CUBE, (*spec.table.centre, *still), spec.table.size, WOOD),
        _marker(
            header,
            1,
            Marker.CYLINDER,
            (*scene.plate.tolist(), *still),
            (width, width, height),
            WHITE,
        ),
    ]
    for k, (name, pose) in enumerate(zip(COLOURS, scene.cubes.tolist(), strict=True)):
        markers.append(_marker(header, 2 + k, Marker.CUBE, pose, (side, side, side), COLOUR[name]))
    return MarkerArray(markers=markers)


def _marker(
    header: Header,
    number: int,
    kind: int,
    pose: Sequence[float],
    size: tuple[float, float, float],
    colour: tuple[float, float, float],
) -> Marker:
    x, y, z, qw, qx, qy, qz = pose
    red, green, blue = colour
    return Marker(
        header=header,
        ns='scene',
        id=number,
        type=kind,
        pose=Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw)),
        scale=Vector3(x=size[0], y=size[1], z=size[2]),
        color=ColorRGBA(r=red, g=green, b=blue, a=1.0),
    )
