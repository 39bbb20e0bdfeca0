# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The description of the graph: its nodes, their parameters, and the topics between them.

Launch files turn it into launch actions, ``vla-control run`` into processes, tests read it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import os
from pathlib import Path
from types import MappingProxyType

from vla_control.cameras.config import load_camera
from vla_control.core.config import find_config, share_path
from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot, RobotSpec
from vla_control.robots.description import robot_urdf, root_link
from vla_control.robots.dk1_leader import load_leader
from vla_control.runtime.options import GraphOptions
from vla_control.runtime.parameters import PARAMETERS, Value
from vla_control.runtime.params_file import check_params_file
from vla_control.runtime.topics import (
    CAMERA,
    DRIVER,
    INTERPOLATOR,
    LEADER,
    POLICY,
    SHADOW,
    SIM,
    topics,
    TopicSpec,
)

__all__ = ['Graph', 'GraphOptions', 'NodeSpec', 'describe', 'describe_fleet', 'environment']

RESPAWNS = 5  # times in a row a node is started again
RVIZ_CAMERAS = ('front', 'wrist')  # shown by config/vla_control.rviz


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One process of the graph."""

    executable: str
    name: str
    namespace: str = ''
    package: str = 'vla_control'
    parameters: Mapping[str, Value] = field(default_factory=dict)
    remappings: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)  # in addition to the user's
    lifecycle: bool = True
    after: tuple[str, ...] = ()  # names of nodes that must be active before this one configures
    respawn: bool = False  # whether it is started again; it then configures itself
    vital: bool = True  # whether the rest is pointless without it
    log_level: str = 'info'
    params_file: str = ''

    def __post_init__(self) -> None:
        """Close the maps."""
        object.__setattr__(self, 'parameters', MappingProxyType(dict(self.parameters)))
        object.__setattr__(self, 'environment', MappingProxyType(dict(self.environment)))

    @property
    def path(self) -> str:
        """Namespace and name, which no other node of the machine has."""
        return f'{self.namespace}/{self.name}'.strip('/')

    @property
    def needs(self) -> tuple[str, ...]:
        """Paths of the nodes it comes after."""
        return tuple(f'{self.namespace}/{name}'.strip('/') for name in self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A system spelled out."""

    options: GraphOptions
    robot: RobotSpec
    cameras: tuple[str, ...]
    nodes: tuple[NodeSpec, ...]
    topics: tuple[TopicSpec, ...]

    def node(self, name: str) -> NodeSpec:
        """
        Return a node by name.

        :raises ConfigError: listing the nodes there are.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise ConfigError(f'no node {name!r}; the graph has {[n.name for n in self.nodes]}')


def describe(options: GraphOptions) -> Graph:
    """
    Spell out the nodes and topics of what a user chose.

    :raises ConfigError: when a choice is unknown or two choices exclude each other.
    """
    return describe_fleet((options,))[0]


def describe_fleet(fleet: Sequence[GraphOptions]) -> tuple[Graph, ...]:
    """
    Spell out the graphs of several robots that are started together.

    :raises ConfigError: when a choice is unknown or two choices exclude each other.
    """
    graphs = tuple(_describe(options) for options in fleet)
    nodes = {node.path: node.executable for graph in graphs for node in graph.nodes}
    for file in {options.params_file for options in fleet if options.params_file}:
        check_params_file(Path(file), nodes)
    return graphs


def _describe(options: GraphOptions) -> Graph:
    robot = load_robot(options.robot)
    options.check()
    cameras = options.cameras or robot.camera_configs
    nodes = [_camera(options, name) for name in cameras]
    follower = _shadow if options.shadow else _interpolator
    source = _leader(options, robot) if options.teleop else _policy(options, cameras)
    nodes += [source, follower(options), _driver(options)]
    if options.hardware == 'sim':
        nodes.insert(0, _simulation(options, cameras))
    nodes += _tools(options, robot, cameras)
    return Graph(
        options=options,
        robot=robot,
        cameras=cameras,
        nodes=tuple(nodes),
        topics=topics(robot.control_rate, tuple(load_camera(c).name for c in cameras)),
    )


def environment(images: bool) -> dict[str, str]:
    """
    Return the variables a process of the graph needs, without those the user has set.

    A user who sees to more than this host has set the discovery range, and is left alone.

    :param images: whether it sends or receives images. With Fast DDS' own 0.5 MB of shared
        memory a third of three cameras' best-effort frames is lost; the profile gives it 32 MB.
        The processes of the control loop stay out of shared memory, see fastdds_control.xml.
    """
    local = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST') == 'LOCALHOST'
    loop = local and not images
    profile = str(share_path('config', 'fastdds_control.xml' if loop else 'fastdds_shm.xml'))
    wanted = {
        'FASTRTPS_DEFAULT_PROFILES_FILE': profile,
        'FASTDDS_DEFAULT_PROFILES_FILE': profile,
        'PYTHONUNBUFFERED': '1',
    }
    found = {k: v for k, v in wanted.items() if k not in os.environ}
    if local:
        own = loop and 'FASTRTPS_DEFAULT_PROFILES_FILE' in found
        found['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'SYSTEM_DEFAULT' if own else 'LOCALHOST'
    return found


def _node(
    options: GraphOptions,
    executable: str,
    parameters: Mapping[str, Value],
    *,
    name: str = '',
    after: tuple[str, ...] = (),
    respawn: bool = False,
    vital: bool = True,
) -> NodeSpec:
    known = {p.name for p in PARAMETERS[executable]}
    common: dict[str, Value] = {'robot': options.robot} if 'robot' in known else {}
    extra = options.overrides.get(executable, {})
    if respawn:  # nobody else tells a process that was started again to configure
        common['autostart'] = options.autostart
    return NodeSpec(
        executable=executable,
        name=name or executable,
        namespace=options.namespace,
        parameters={**common, **parameters, **extra, 'use_sim_time': options.use_sim_time},
        environment=environment(images=executable in (CAMERA, POLICY)),
        after=after,
        respawn=respawn,
        vital=vital,
        log_level=options.log_level,
        params_file=options.params_file,
    )


def _camera(options: GraphOptions, name: str) -> NodeSpec:
    camera = load_camera(name)
    camera.source(options.hardware)
    return _node(
        options,
        CAMERA,
        {'camera': name, 'hardware': options.hardware},
        name=f'camera_{camera.name}',
        after=(SIM,) if options.hardware == 'sim' else (),
        respawn=True,
        vital=False,
    )


def _policy(options: GraphOptions, cameras: tuple[str, ...]) -> NodeSpec:
    find_config('policies', options.policy)
    values: dict[str, Value] = {
        'policy': options.policy,
        'instruction': options.instruction,
        'cameras': cameras,
        'shadow': options.shadow,
    }
    return _node(options, POLICY, values, respawn=True, vital=False)


def _leader(options: GraphOptions, robot: RobotSpec) -> NodeSpec:
    load_leader(options.teleop).check(robot)
    values: dict[str, Value] = {'teleop': options.teleop, 'hardware': options.hardware}
    return _node(options, LEADER, values, respawn=True, vital=False)


def _interpolator(options: GraphOptions) -> NodeSpec:
    values: dict[str, Value] = {'policy': options.policy}
    if options.teleop:  # whose chunks are where the hand was, and need no smoothing
        values['blend'] = 'replace'
    return _node(options, INTERPOLATOR, values, respawn=True)


def _shadow(options: GraphOptions) -> NodeSpec:
    return _node(options, SHADOW, {'policy': options.policy}, respawn=True, vital=False)


def _driver(options: GraphOptions) -> NodeSpec:
    """Describe the driver, which a person starts again, once the robot has been looked at."""
    values: dict[str, Value] = {
        'hardware': options.hardware,
        'resume_on_activate': options.resume,
        'require_enable': options.require_enable,
        'shadow': options.shadow,
        'publish_description': not options.robot_state_publisher,
    }
    return _node(options, DRIVER, values, after=(SIM,) if options.hardware == 'sim' else ())


def _simulation(options: GraphOptions, cameras: tuple[str, ...]) -> NodeSpec:
    values: dict[str, Value] = {
        'cameras': cameras,
        'instruction': options.instruction,
    }
    return _node(options, SIM, values)


def _tools(options: GraphOptions, robot: RobotSpec, cameras: tuple[str, ...]) -> list[NodeSpec]:
    """
    Return robot_state_publisher and rviz2.

    Under a namespace each robot keeps its own /tf, so that equal frame names do not meet.
    """
    found = []
    remappings = (('/tf', 'tf'), ('/tf_static', 'tf_static')) if options.namespace else ()
    if options.robot_state_publisher:
        found.append(
            NodeSpec(
                package='robot_state_publisher',
                executable='robot_state_publisher',
                name='robot_state_publisher',
                namespace=options.namespace,
                parameters={
                    'robot_description': robot_urdf(robot),
                    'use_sim_time': options.use_sim_time,
                },
                remappings=remappings,
                environment=environment(images=False),
                lifecycle=False,
                vital=False,
                log_level=options.log_level,
            )
        )
    if options.rviz:
        config = options.rviz_config or str(share_path('config', 'vla_control.rviz'))
        found.append(
            NodeSpec(
                package='rviz2',
                executable='rviz2',
                name='rviz2',
                namespace=options.namespace,
                parameters={'use_sim_time': options.use_sim_time},
                arguments=('-d', config, '-f', root_link(robot_urdf(robot))),
                environment=environment(images=True),
                remappings=(*remappings, *_shown(cameras)),
                lifecycle=False,
                vital=False,
                log_level=options.log_level,
            )
        )
    return found


def _shown(cameras: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Put a robot's first two cameras where rviz looks for those of one arm."""
    names = (load_camera(camera).name for camera in cameras)
    return tuple(
        (f'camera/{shown}/image_raw', f'camera/{name}/image_raw')
        for shown, name in zip(RVIZ_CAMERAS, names, strict=False)
        if name != shown
    )
