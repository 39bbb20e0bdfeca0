# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The emulated services of a G1: who controls the robot, and what its controller does."""

import json

from vla_control.buses.unitree import (
    answer,
    ArmAction,
    CHECK_MODE,
    GET_FSM_ID,
    MOTION_SWITCHER,
    NOT_IMPLEMENTED,
    OK,
    RELEASE_MODE,
    SPORT,
    UnitreeBus,
)

SELECT_MODE, SET_FSM_ID = 1002, 7101
BAD_PARAMETER = 3204
STANDING = 500  # fsm id of a robot that stands and may walk


class G1Services:
    """
    ``motion_switcher`` and ``sport``.

    ``controller`` is the name of the robot's own controller, '' when it is released; ``fsm`` the
    state it is in; ``sport`` what its service is called, ``loco`` on older firmware; ``silent``
    keeps both from answering. ``action`` is what the arm action service says it does; it moves
    nothing here.
    """

    def __init__(self, controller: str) -> None:
        """
        Begin standing.

        :param controller: that runs, '' for none.
        """
        self.controller = controller
        self.fsm = STANDING
        self.sport = SPORT
        self.action = ArmAction()
        self.silent = False

    def serve(self, bus: UnitreeBus) -> int:
        """
        Answer every call that has arrived.

        :returns: how many there were.
        :raises BusError: when the bus is closed or lost.
        """
        if self.silent:
            return 0
        return answer(bus, MOTION_SWITCHER, self._switch) + answer(bus, self.sport, self._sport)

    def _switch(self, api_id: int, parameter: str) -> tuple[int, str]:
        if api_id == CHECK_MODE:
            return OK, json.dumps({'form': '0', 'name': self.controller})
        if api_id == RELEASE_MODE:
            self.controller = ''
            return OK, ''
        if api_id == SELECT_MODE:
            name = _field(parameter, 'name')
            if not isinstance(name, str) or not name:
                return BAD_PARAMETER, ''
            self.controller = name
            return OK, ''
        return NOT_IMPLEMENTED, ''

    def _sport(self, api_id: int, parameter: str) -> tuple[int, str]:
        if api_id == GET_FSM_ID:
            return OK, json.dumps({'data': self.fsm})
        if api_id == SET_FSM_ID:
            number = _field(parameter, 'data')
            if not isinstance(number, int):
                return BAD_PARAMETER, ''
            self.fsm = number
            return OK, ''
        return NOT_IMPLEMENTED, ''


def _field(parameter: str, key: str) -> object:
    try:
        section = json.loads(parameter)
    except ValueError:
        return None
    return section.get(key) if isinstance(section, dict) else None
