# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The newest record crosses processes whole, and a dead writer is noticed."""

import os
import signal
import subprocess
import sys

import pytest

from vla_control.core.shared_record import (
    shared_path,
    SharedRecordError,
    SharedRecordReader,
    SharedRecordWriter,
)

WRITER = """
import sys
from vla_control.core.shared_record import SharedRecordWriter
writer = SharedRecordWriter(sys.argv[1], 64)
writer.write(b'from the child')
print('ready', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def name(request):
    yield f'test-{os.getpid()}-{request.node.name}'
    shared_path(f'test-{os.getpid()}-{request.node.name}').unlink(missing_ok=True)


def other_process(name):
    process = subprocess.Popen(
        [sys.executable, '-c', WRITER, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == b'ready\n'
    return process


def test_a_reader_gets_the_newest_record_once(name):
    writer = SharedRecordWriter(name, 16)
    reader = SharedRecordReader(name)
    assert reader.read() is None
    for text in (b'one', b'two', b'three', b'four'):
        writer.write(text[:1], text[1:])
    assert reader.read() == (4, b'four')
    assert reader.read() is None
    writer.close()


def test_a_record_half_written_is_never_read(name):
    writer = SharedRecordWriter(name, 16)
    reader = SharedRecordReader(name)
    writer.write(b'whole')
    at = writer._map.find(b'whole')
    writer._map[at : at + 2] = b'XX'
    assert reader.read() is None
    writer.write(b'next')
    assert reader.read() == (2, b'next')
    writer.close()


def test_a_record_that_is_too_long_is_refused(name):
    writer = SharedRecordWriter(name, 4)
    with pytest.raises(SharedRecordError, match='5 bytes, capacity is 4'):
        writer.write(b'12345')
    writer.close()


def test_nobody_writing_is_an_error_of_the_reader(name):
    with pytest.raises(SharedRecordError, match='No such file'):
        SharedRecordReader(name)


def test_a_second_writer_is_refused_while_the_first_lives(name):
    writer = SharedRecordWriter(name, 16)
    with pytest.raises(SharedRecordError, match='another process'):
        SharedRecordWriter(name, 16)
    writer.close()
    SharedRecordWriter(name, 16).close()


def test_closing_removes_the_file_and_is_noticed(name):
    writer = SharedRecordWriter(name, 16)
    reader = SharedRecordReader(name)
    assert reader.writer_alive()
    writer.close()
    writer.close()
    assert not reader.writer_alive()
    assert not shared_path(name).exists()
    reader.close()
    reader.close()


def test_a_killed_writer_is_noticed_and_replaced(name):
    process = other_process(name)
    reader = SharedRecordReader(name)
    assert reader.read() == (1, b'from the child')
    assert reader.writer_alive()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not reader.writer_alive()
    with pytest.raises(SharedRecordError, match='gone'):
        SharedRecordReader(name)
    writer = SharedRecordWriter(name, 16)
    writer.write(b'again')
    assert SharedRecordReader(name).read() == (1, b'again')
    assert reader.read() is None, 'the old reader must not mix two writers'
    writer.close()
