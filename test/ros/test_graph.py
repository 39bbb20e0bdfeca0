# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole graph as users start it: processes, the emulated bus, and an orderly end."""

from diagnostic_msgs.msg import DiagnosticStatus
import pytest
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vla_control.core.config import share_path
from vla_control.nodes import qos
from vla_control.runtime.runner import GraphProcesses
from vla_control.runtime.wiring import describe, GraphOptions

pytestmark = [pytest.mark.ros, pytest.mark.slow]
JOINTS = {  # the one that sways
    'openarm': 'openarm_right_joint5',
    'dk1': 'joint5',
    'g1': 'left_wrist_pitch_joint',
    'openarm_bimanual': 'openarm_left_joint5',
}


@pytest.fixture
def processes(ros, domain, monkeypatch, tmp_path, robot):
    """A robot on a bus of its own, as each domain and namespace has, under a policy that sways."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    text = share_path('config', 'policies', 'wave.yaml').read_text()
    assert JOINTS['openarm'] in text
    policy = tmp_path / 'sway.yaml'
    policy.write_text(text.replace(JOINTS['openarm'], JOINTS[robot]))
    options = GraphOptions(
        robot=robot,
        hardware='sim',
        policy=str(policy),
        resume=True,
        namespace='left',
        instruction='touch the red cube',
        robot_state_publisher=False,
    )
    with GraphProcesses(describe(options)) as processes:
        processes.start(60.0)
        yield processes


@pytest.mark.parametrize('robot', ['dk1', 'g1', 'openarm_bimanual'])
def test_every_robot_sways_on_its_own_bus_and_obeys_the_emergency_stop(graph, processes, robot):
    states = graph.heard(JointState, 'left/joint_states', qos.reader('joint_states'))
    modes = graph.heard(String, 'left/driver_state', qos.reader('driver_state'))

    def sways():
        if modes and modes[-1].data.startswith('HOLD'):  # a busy machine may have stopped it
            graph.call('left/driver_node/resume')
        return swing(states, robot) > 0.1

    graph.spin_until(sways, 'the arm sways', timeout=45.0)
    assert graph.call('left/driver_node/e_stop').success
    graph.spin_until(lambda: modes[-1].data.startswith('FAULT'), 'FAULT')


def swing(states, robot):
    q = [m.position[m.name.index(JOINTS[robot])] for m in states]
    return max(q, default=0.0) - min(q, default=0.0)


@pytest.mark.parametrize('robot', ['openarm'])
def test_a_simulated_robot_waves_and_ends_in_order(graph, processes, robot):
    states = graph.heard(JointState, 'left/joint_states', qos.reader('joint_states'))
    modes = graph.heard(String, 'left/driver_state', qos.reader('driver_state'))
    episodes = graph.heard(
        DiagnosticStatus, 'left/sim_node/episode', qos.reader('sim_node/episode')
    )
    pictures = graph.heard(
        Image, 'left/camera/front/image_raw', qos.reader('camera/<name>/image_raw')
    )

    graph.spin_until(lambda: swing(states, robot) > 0.1, 'the arm waves', timeout=30.0)
    graph.spin_until(lambda: pictures, 'pictures')
    assert modes[-1].data.startswith('RUN')
    values = {v.key: v.value for v in episodes[-1].values}
    assert (values['task'], values['target']) == ('touch', 'red')

    answer = graph.call('left/sim_node/reset')
    assert answer.success
    assert 'the arm stays' in answer.message, 'nobody carries off an arm that is enabled'

    assert graph.call('left/driver_node/e_stop').success
    graph.spin_until(lambda: modes[-1].data.startswith('FAULT'), 'FAULT')
    graph.spin_until(
        lambda: 'the arm was put to its start' in graph.call('left/sim_node/reset').message,
        'a new episode begins from its own pose',
    )
    assert graph.call('left/driver_node/reset').success, 'the driver takes the new pose over'
    graph.spin_until(lambda: modes[-1].data.startswith('HOLD'), 'HOLD')
    names = [c.path for c in describe(GraphOptions(policy='hold', namespace='left')).nodes][:6]
    pids = [p for p in map(processes.pid, names) if p]
    assert len(pids) == 6
    processes.stop()
    assert not any(map(processes.pid, names))
