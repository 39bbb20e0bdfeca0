# One-word commands; each makes and reuses .venv by itself.
VENV := .venv
RUN := $(VENV)/bin/python
ROBOT ?= openarm

.PHONY: setup demo test lint build clean

setup: $(VENV)/.ready

$(VENV)/.ready: .ci/setup setup.py
	bash .ci/setup $(VENV)
	@touch $@

demo: setup  ## five episodes in real time through the ROS graph, with video and plot
	$(RUN) -m vla_control.cli demo --robot $(ROBOT)

test: setup lint  ## all tests
	$(RUN) -m pytest

lint: setup  ## style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy vla_control

build: setup  ## the ROS 2 package in install/, whose nodes run in .venv
	$(RUN) -m pip --disable-pip-version-check -q install 'setuptools<80' 'colcon-common-extensions<0.4'
	$(RUN) -m colcon --log-level error build --packages-select vla_control

clean:
	rm -rf $(VENV) build install log output
