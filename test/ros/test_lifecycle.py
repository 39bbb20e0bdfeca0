# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Every node can be managed by anybody's lifecycle manager."""

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState, GetState
import pytest
from rcl_interfaces.srv import DescribeParameters
from rclpy.parameter import Parameter
from std_msgs.msg import String

from vla_control.core.errors import ConfigError
from vla_control.nodes import qos
from vla_control.nodes.camera_node import CameraNode
from vla_control.nodes.driver_node import DriverNode
from vla_control.nodes.interpolator_node import InterpolatorNode
from vla_control.nodes.lifecycle import turn
from vla_control.nodes.policy_node import PolicyNode
from vla_control.nodes.spinner import Spinner

pytestmark = pytest.mark.ros
NODES = {
    'driver_node': (DriverNode, {'hardware': 'mock', 'realtime_priority': 0}),
    'interpolator_node': (InterpolatorNode, {'realtime_priority': 0}),
    'camera_node': (CameraNode, {'hardware': 'mock'}),
    'policy_node': (PolicyNode, {'policy': 'hold'}),
}


def overrides(**parameters):
    return [Parameter(k, value=v) for k, v in parameters.items()]


@pytest.mark.parametrize('name', NODES)
def test_a_node_goes_through_its_life_twice(graph, name):
    kind, parameters = NODES[name]
    graph.add(kind, activate=False, **parameters)

    def change(number):
        request = ChangeState.Request()
        request.transition.id = number
        return graph.call(f'{name}/change_state', ChangeState, request).success

    def state():
        return graph.call(f'{name}/get_state', GetState).current_state.label

    for _ in range(2):
        for transition, label in ((1, 'inactive'), (3, 'active'), (4, 'inactive')):
            assert change(transition)
            assert state() == label
        assert change(2)
        assert state() == 'unconfigured'


def test_a_transition_that_cannot_be_is_refused_and_ends_nothing(graph):
    node = graph.add(DriverNode, spin=False, hardware='mock', realtime_priority=0)
    spinner = Spinner(node)
    client = graph.probe.create_client(ChangeState, 'driver_node/change_state')
    graph.spin_until(client.service_is_ready, 'the service')
    request = ChangeState.Request()
    request.transition.id = 1  # configure, though it is active
    client.call_async(request)

    refusals = []
    node.get_logger().error = refusals.append
    graph.spin_until(lambda: turn(spinner, node) or refusals, 'a refusal')
    assert 'Transition is not registered' in refusals[0]
    assert node.active
    spinner.close()


def test_autostart_needs_nobody(graph):
    node = graph.add(DriverNode, activate=False, hardware='mock', autostart=True)
    graph.spin_until(lambda: node.active, 'the node activates itself')


def test_a_misspelt_parameter_is_refused_with_the_right_name(ros):
    with pytest.raises(ConfigError, match=r"'hardwear'.*did you mean 'hardware'"):
        DriverNode(parameter_overrides=overrides(hardwear='mock'))


@pytest.mark.parametrize(
    ('parameters', 'message'),
    [
        ({'hardware': 'fake'}, r"'fake'; choose one of \['real', 'sim', 'mock'\]"),
        ({'state_rate': 1e6}, r'outside \[1.0, 250.0\]'),
        ({'robot': 3}, 'must be str, got 3'),
    ],
)
def test_a_parameter_that_is_not_right_is_refused_with_what_would_be(ros, parameters, message):
    with pytest.raises(ConfigError, match=message):
        DriverNode(parameter_overrides=overrides(**parameters))


def test_a_whole_number_will_do_for_a_real_one(ros):
    node = DriverNode(parameter_overrides=overrides(state_rate=50))
    assert node.values['state_rate'] == 50.0
    node.destroy_node()


def test_parameters_describe_themselves(graph):
    graph.add(DriverNode, activate=False)
    request = DescribeParameters.Request(names=['state_rate'])
    answer = graph.call('driver_node/describe_parameters', DescribeParameters, request)
    (description,) = answer.descriptors
    assert '[Hz]' in description.description
    assert description.read_only
    assert description.floating_point_range[0].to_value == 250.0


@pytest.mark.parametrize('parameter', ['use_sim_time', 'resume_on_activate'])
def test_real_motors_refuse(graph, parameter):
    node = graph.add(DriverNode, activate=False, hardware='real', **{parameter: True})
    node.trigger_configure()
    assert not node.configured


def test_a_policy_for_other_cameras_is_refused_at_configuration(graph, tmp_path):
    path = tmp_path / 'unknown.yaml'
    path.write_text('name: unknown\nkind: telepathy\n')
    node = graph.add(PolicyNode, activate=False, policy=str(path))
    node.trigger_configure()
    assert not node.configured


def test_the_state_of_the_driver_waits_for_whoever_comes_late(graph):
    graph.add(DriverNode, hardware='mock', realtime_priority=0)
    states = graph.heard(String, 'driver_state', qos.reader('driver_state'))
    graph.spin_until(lambda: states, 'driver_state')
    assert states[-1].data.startswith('HOLD')


def test_the_driver_reports_every_motor_and_its_loop(graph):
    reports = graph.heard(DiagnosticArray, '/diagnostics')
    graph.add(DriverNode, hardware='mock', realtime_priority=0)
    graph.spin_until(lambda: any(len(r.status) > 8 for r in reports), 'diagnostics')
    names = {s.name for s in reports[-1].status}
    assert {'driver_node: loop', 'driver_node: bus', 'driver_node: state'} <= names
    assert 'driver_node: motor openarm_right_joint1' in names
    (loop,) = (s for s in reports[-1].status if s.name == 'driver_node: loop')
    assert int({v.key: v.value for v in loop.values}['ticks']) > 0
