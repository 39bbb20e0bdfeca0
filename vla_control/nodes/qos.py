# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""Quality of service of the topics, as runtime/topics.py describes them."""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from vla_control.core.errors import ConfigError
from vla_control.runtime.topics import Qos, topics, TopicSpec


def profile(qos: Qos) -> QoSProfile:
    """Translate one end of a topic."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=qos.depth,
        reliability=ReliabilityPolicy.RELIABLE if qos.reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=(
            DurabilityPolicy.TRANSIENT_LOCAL if qos.latched else DurabilityPolicy.VOLATILE
        ),
    )


def writer(topic: str) -> QoSProfile:
    """Return the profile of a publisher; camera topics by their name with ``<name>``."""
    return profile(_topic(topic).qos)


def reader(topic: str) -> QoSProfile:
    """Return the profile of a subscriber; camera topics by their name with ``<name>``."""
    return profile(_topic(topic).read_qos)


def _topic(name: str) -> TopicSpec:
    for topic in topics(1.0):
        if topic.name == name:
            return topic
    raise ConfigError(f'no topic {name!r}; there are {[t.name for t in topics(1.0)]}')
