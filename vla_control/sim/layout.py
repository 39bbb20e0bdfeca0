# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the objects lie at the start of an episode."""

from dataclasses import dataclass

import numpy as np

from vla_control.core.errors import SimulationError
from vla_control.core.messages import Floats, frozen_floats
from vla_control.sim.scene import SceneSpec

COLOURS = ('red', 'green', 'blue')  # of the cubes, in the order of every (3, ...) array
MOST_DRAWS = 20_000  # of places; where the area is tight, one in 200 will do


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Poses of the objects at rest, in the world frame."""

    cubes: Floats  # (3, 3) [m] centres, in the order of COLOURS
    yaws: Floats  # (3,) [rad]
    plate: Floats  # (3,) [m] centre


def sample_layout(scene: SceneSpec, rng: np.random.Generator) -> Layout:
    """
    Draw a layout: cubes apart from each other inside their area, the plate at one of its places.

    :raises SimulationError: when the cubes do not fit into their area.
    """
    cubes = scene.cubes
    low = np.array([cubes.area.x[0], cubes.area.y[0]])
    high = np.array([cubes.area.x[1], cubes.area.y[1]])
    for _ in range(MOST_DRAWS):
        xy = rng.uniform(low, high, size=(len(COLOURS), 2))
        gaps = np.linalg.norm(xy[:, None] - xy[None], axis=2)[np.triu_indices(len(COLOURS), 1)]
        if gaps.min() >= cubes.spacing and np.abs(xy[:, 1]).min() >= cubes.seam:
            break
    else:
        raise SimulationError(
            f'{scene.name}: {len(COLOURS)} cubes {cubes.spacing} m apart do not fit into '
            f'x {cubes.area.x}, y {cubes.area.y}; lower cubes.spacing or widen cubes.area'
        )
    heights = np.full(len(COLOURS), scene.table_top + cubes.side / 2.0)
    place = np.array(scene.plate.places[int(rng.integers(len(scene.plate.places)))])
    plate = place + rng.uniform(-scene.plate.jitter, scene.plate.jitter, size=2)
    return Layout(
        cubes=frozen_floats(np.column_stack([xy, heights])),
        yaws=frozen_floats(rng.uniform(-cubes.yaw, cubes.yaw, size=len(COLOURS))),
        plate=frozen_floats([*plate, scene.table_top + scene.plate.height / 2.0]),
    )
