# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Every topic of the graph: its type, its ends, its quality of service and its rate."""

from dataclasses import dataclass

DRIVER, INTERPOLATOR, POLICY, SIM = 'driver_node', 'interpolator_node', 'policy_node', 'sim_node'
CAMERA, SHADOW, LEADER = 'camera_node', 'shadow_node', 'leader_node'


@dataclass(frozen=True, slots=True, kw_only=True)
class Qos:
    """Quality of service of one topic end."""

    depth: int
    reliable: bool = True
    latched: bool = False  # transient local


STREAM = Qos(depth=5)
NEWEST = Qos(depth=1, reliable=False)  # readers of sensors: REP-2003
COMMAND = Qos(depth=1)
STATE = Qos(depth=1, latched=True)
EVENTS = Qos(depth=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic, with a relative name so that a namespace makes a second robot."""

    name: str
    type: str  # package/msg/Type
    publishers: tuple[str, ...]  # executables; empty: the user
    subscribers: tuple[str, ...]  # executables; empty: the user
    qos: Qos  # of publishers
    read_qos: Qos  # of subscribers
    rate: float | None = None  # [Hz] None: on events


def topics(control_rate: float, cameras: tuple[str, ...] = ('<name>',)) -> tuple[TopicSpec, ...]:
    """Return every topic of the graph; cameras appear once each."""

    def topic(
        name: str,
        kind: str,
        ends: tuple[tuple[str, ...], tuple[str, ...]],
        qos: Qos,
        read_qos: Qos | None = None,
        rate: float | None = None,
    ) -> TopicSpec:
        return TopicSpec(
            name=name, type=kind, publishers=ends[0], subscribers=ends[1],
            qos=qos, read_qos=read_qos or qos, rate=rate,
        )  # fmt: skip

    image, joints = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/JointState'
    trajectory, text = 'trajectory_msgs/msg/JointTrajectory', 'std_msgs/msg/String'
    status = 'diagnostic_msgs/msg/DiagnosticStatus'
    found = []
    for name in cameras:
        ends = ((CAMERA,), (POLICY,))
        found.append(topic(f'camera/{name}/image_raw', image, ends, STREAM, NEWEST))
        # Where image_transport looks for it; only made while somebody subscribes.
        found.append(
            topic(
                f'camera/{name}/image_raw/compressed',
                'sensor_msgs/msg/CompressedImage',
                ((CAMERA,), ()),
                STREAM,
                NEWEST,
            )
        )
        found.append(
            topic(
                f'camera/{name}/camera_info',
                'sensor_msgs/msg/CameraInfo',
                ((CAMERA,), ()),
                STREAM,
                NEWEST,
            )
        )
    rate = control_rate
    return (
        *found,
        topic('instruction', text, ((), (POLICY, SIM)), STATE),
        topic('joint_states', joints, ((DRIVER,), (POLICY, SHADOW)), EVENTS, rate=100.0),
        topic(
            'commanded_joint_states',
            joints,
            ((DRIVER,), (INTERPOLATOR, LEADER)),
            COMMAND,
            rate=100.0,
        ),
        topic('driver_state', text, ((DRIVER,), (INTERPOLATOR, POLICY, LEADER, SIM)), STATE),
        topic('action_chunk', trajectory, ((POLICY, LEADER), (INTERPOLATOR, SHADOW)), COMMAND),
        topic('joint_command', trajectory, ((INTERPOLATOR,), (DRIVER,)), COMMAND, rate=rate),
        topic('enable', 'std_msgs/msg/Bool', ((), (DRIVER,)), COMMAND, NEWEST, 20.0),
        topic('robot_description', text, ((DRIVER,), ()), STATE),
        topic('sim_node/episode', status, ((SIM,), ()), STATE),
        topic('interpolator_node/quality', status, ((INTERPOLATOR,), ()), COMMAND, rate=2.0),
        topic('shadow_node/quality', status, ((SHADOW,), ()), COMMAND, rate=2.0),
        topic('markers', 'visualization_msgs/msg/MarkerArray', ((SIM,), ()), COMMAND, rate=10.0),
    )
