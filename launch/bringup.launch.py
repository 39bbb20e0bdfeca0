# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Bring up a robot, or several: cameras, policy, interpolator, driver, simulation, rviz.

What is started, with which parameters and in which order, is said by
vla_control/runtime/wiring.py; this file only turns that into launch actions.
"""

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from lifecycle_msgs.msg import Transition

from launch import LaunchDescription
from vla_control.runtime.options import fleet, launch_arguments
from vla_control.runtime.wiring import describe_fleet, RESPAWNS


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                a.name, default_value=a.default, description=a.description, choices=a.choices
            )
            for a in launch_arguments()
        ]
        + [OpaqueFunction(function=bring_up)]
    )


def bring_up(context):
    given = {a.name: LaunchConfiguration(a.name).perform(context) for a in launch_arguments()}
    return [action for graph in describe_fleet(fleet(given)) for action in bring_up_one(graph)]


def bring_up_one(graph):
    actions = {spec.name: node_action(spec) for spec in graph.nodes}
    found = []
    for spec in graph.nodes:
        if spec.lifecycle and graph.options.autostart and not spec.respawn:
            found += transitions(spec, actions)
        if spec.vital and not spec.respawn:
            leave = OnProcessExit(target_action=actions[spec.name], on_exit=end_of(spec))
            found.append(RegisterEventHandler(leave))
    return found + list(actions.values()) + [LogInfo(msg=f'robot: {graph.robot.title}')]


def end_of(spec):
    def end(event, context):
        return None if context.is_shutdown else [Shutdown(reason=f'{spec.name} has ended')]

    return end


def node_action(spec):
    parameters = [{k: parameter(v) for k, v in spec.parameters.items()}]
    if spec.params_file:
        parameters.append(spec.params_file)
    return (LifecycleNode if spec.lifecycle else Node)(
        package=spec.package,
        executable=spec.executable,
        name=spec.name,
        namespace=spec.namespace,
        parameters=parameters,
        remappings=list(spec.remappings),
        arguments=[*spec.arguments, '--ros-args', '--log-level', spec.log_level],
        additional_env=dict(spec.environment),
        respawn=spec.respawn,
        respawn_delay=1.0,
        respawn_max_retries=RESPAWNS,
        output='screen',
    )


def parameter(value):
    # Without a type, launch reads every text as YAML: an instruction `1` would become a number.
    if isinstance(value, str):
        return ParameterValue(value, value_type=str)
    return (list(value) or ['']) if isinstance(value, tuple) else value


def transitions(spec, actions):
    """Configure once what it needs is active; activate once that has succeeded."""
    node = actions[spec.name]
    configure = change(node, Transition.TRANSITION_CONFIGURE)
    activate = change(node, Transition.TRANSITION_ACTIVATE)
    # Without start_state a deactivated node would be activated again at once.
    ready = OnStateTransition(
        target_lifecycle_node=node,
        start_state='configuring',
        goal_state='inactive',
        entities=[activate],
    )
    needed = [actions[name] for name in spec.after]
    starts = [
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=other, goal_state='active', entities=[configure]
            )
        )
        for other in needed
    ]
    return [RegisterEventHandler(ready), *(starts or [configure])]


def change(node, transition):
    return EmitEvent(
        event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)
    )
