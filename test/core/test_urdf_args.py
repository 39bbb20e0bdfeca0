# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""An argument that a URDF does not take is refused where the robot is loaded."""

import pytest

from vla_control.core.config import share_path
from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot
from vla_control.core.urdf_args import declared_args


def write(folder, text):
    path = folder / 'mine.yaml'
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('extends: openarm_left\nurdf_args: {amr: left}\n', r"'amr' \(did you mean 'arm'\?\).*"),
        ('extends: g1\nurdf_args: {legz: "0 0"}\n', r"'legz' \(did you mean 'legs'\?\)"),
        ('extends: openarm_bimanual\nurdf_args: {arms: both}\n', r"'arms'.*'arm'"),
        ('extends: openarm\nprefix: left_\n', r"has no argument 'prefix'; .* \['arm'\]"),
    ],
)
def test_a_misspelt_argument_is_refused_with_the_closest_one(tmp_path, text, message):
    with pytest.raises(ConfigError, match=r'mine\.yaml\.urdf_args: .*\.xacro has no') as refused:
        load_robot(write(tmp_path, text))
    refused.match(message)


def test_arguments_of_included_files_count(tmp_path):
    assert declared_args(share_path('urdf', 'dk1.urdf.xacro')) == ['pair', 'prefix']
    head = '<robot xmlns:xacro="http://www.ros.org/wiki/xacro" name="r">'
    (tmp_path / 'part.xacro').write_text(f'{head}<xacro:arg name="length" default="1"/></robot>')
    whole = tmp_path / 'whole.xacro'
    whole.write_text(
        f'{head}<xacro:arg name="side"/><xacro:include filename="part.xacro"/></robot>'
    )
    assert declared_args(whole) == ['length', 'side']
    whole.write_text(f'{head}<xacro:include filename="$(find other)/part.xacro"/></robot>')
    assert declared_args(whole) is None, 'only xacro knows where that is'


def test_a_urdf_that_is_no_xml_is_named(tmp_path):
    path = tmp_path / 'broken.xacro'
    path.write_text('<robot>')
    with pytest.raises(ConfigError, match=r'cannot read .*broken\.xacro'):
        declared_args(path)
    own = f'extends: openarm\nurdf: {path}\n'
    with pytest.raises(ConfigError, match=r'cannot read .*broken\.xacro'):
        load_robot(write(tmp_path, own))
