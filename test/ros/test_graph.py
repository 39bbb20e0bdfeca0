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
JOINT = 'openarm_right_joint5'  # the one the wave policy sways


@pytest.fixture
def robot(tmp_path):
    """An OpenArm on a bus of its own, so that no other simulation of this machine meets it."""
    text = share_path('config', 'robots', 'openarm.yaml').read_text()
    assert 'port: 43113' in text
    path = tmp_path / 'openarm.yaml'
    path.write_text(text.replace('port: 43113', 'port: 43187'))
    return str(path)


@pytest.fixture
def processes(ros, domain, monkeypatch, robot):
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    options = GraphOptions(
        robot=robot,
        hardware='sim',
        policy='wave',
        resume=True,
        namespace='left',
        instruction='touch the red cube',
        robot_state_publisher=False,
    )
    with GraphProcesses(describe(options)) as processes:
        processes.start(60.0)
        yield processes


def test_a_simulated_robot_waves_and_ends_in_order(graph, processes):
    states = graph.heard(JointState, 'left/joint_states', qos.reader('joint_states'))
    modes = graph.heard(String, 'left/driver_state', qos.reader('driver_state'))
    episodes = graph.heard(
        DiagnosticStatus, 'left/sim_node/episode', qos.reader('sim_node/episode')
    )
    pictures = graph.heard(
        Image, 'left/camera/front/image_raw', qos.reader('camera/<name>/image_raw')
    )

    def swing():
        q = [m.position[m.name.index(JOINT)] for m in states]
        return max(q, default=0.0) - min(q, default=0.0)

    graph.spin_until(lambda: swing() > 0.1, 'the arm waves', timeout=30.0)
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
