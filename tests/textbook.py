"""The oracles: models, their loss and their accuracies as a textbook writes them, one trial and scene at a time.

Dense attention over every position with an explicit causal mask, nn.Linear with all its biases (the key bias
included), cross-entropy over a full similarity matrix, loops over scenes and captions. Slow and obvious on purpose;
shares with lrsym what scenes there are, and how they and captions are numbered.
"""

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.datasets import splits
from lrsym.vocabulary import METRICS


class TextbookEncoder(nn.Module):
    def __init__(self, n_tokens, length, d_model, n_heads, *, scale, causal, readout, projected):
        super().__init__()
        self.token, self.position = nn.Embedding(n_tokens, d_model), nn.Embedding(length, d_model)
        self.query, self.key, self.value, self.output = (nn.Linear(d_model, d_model) for _ in range(4))
        self.projection = nn.Linear(d_model, d_model, bias=False) if projected else nn.Identity()
        self.n_heads, self.scale, self.causal, self.readout = n_heads, scale, causal, readout

    def forward(self, tokens):
        batch, length = tokens.shape
        x = self.token(tokens) * self.scale + self.position(torch.arange(length))
        q, k, v = (
            layer(x).view(batch, length, self.n_heads, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if self.causal:
            mask = torch.triu(torch.ones(length, length, dtype=torch.bool), diagonal=1)
            logits = logits.masked_fill(mask, float("-inf"))
        mixed = (logits.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)
        return self.projection((x + self.output(mixed))[:, self.readout])


class TextbookClip(nn.Module):
    def __init__(self, n_labels, n_positions, d_model, n_heads, *, scale, temperature, n_relations=1):
        super().__init__()
        self.vision = TextbookEncoder(
            n_labels + 2, n_positions + 1, d_model, n_heads, scale=scale, causal=False, readout=0, projected=False
        )
        self.text = TextbookEncoder(
            n_labels + 3 + n_relations, 4, d_model, n_heads, scale=scale, causal=True, readout=3, projected=True
        )
        self.log_scale = nn.Parameter(torch.tensor(1 / temperature).log())

    def forward(self, images, captions):
        u, v = F.normalize(self.vision(images), dim=-1), F.normalize(self.text(captions), dim=-1)
        logits = self.log_scale.exp() * u @ v.T
        target = torch.arange(len(images))
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    def load(self, views, row):
        """Copy the parameters of member `row` from the views of a pack; the key bias stays random."""
        names = {"query": "query", "key": "key", "value": "value", "output": "output"}
        with torch.no_grad():
            for encoder in (self.vision, self.text):
                w = views["vision" if encoder is self.vision else "text"]
                encoder.token.weight.copy_(w["token"][row])
                encoder.position.weight.copy_(w["position"][row])
                for attribute, name in names.items():
                    layer = getattr(encoder, attribute)
                    layer.weight.copy_(w[f"{name}_weight"][row].T)
                    if name != "key":
                        layer.bias.copy_(w[f"{name}_bias"][row])
            self.text.projection.weight.copy_(views["text"]["projection"][row].T)
            self.log_scale.copy_(views["loss"]["log_scale"][row])
        return self

    def gradient(self, name):
        """Gradient of one parameter by lrsym's name (encoder, parameter), in lrsym's orientation."""
        encoder, parameter = name
        if encoder == "loss":
            return self.log_scale.grad
        module = getattr(self, encoder)
        if parameter in ("token", "position"):
            return getattr(module, parameter).weight.grad
        if parameter == "projection":
            return module.projection.weight.grad.T
        layer, kind = parameter.rsplit("_", 1)
        gradient = getattr(getattr(module, layer), kind).grad
        return gradient.T if kind == "weight" else gradient


class OracleBlock(nn.Module):
    """Attention and MLP over whole sequences, from nn.Linear and nn.LayerNorm; parameters of one member."""

    def __init__(self, weights, shape):
        super().__init__()
        self.shape, self.weights = shape, weights

    def linear(self, name, x, bias=True):
        return F.linear(x, self.weights[f"{name}_weight"].T, self.weights.get(f"{name}_bias") if bias else None)

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{name}_norm_gain"], self.weights[f"{name}_norm_bias"])

    def attention(self, x):
        heads = [self.linear(name, x).chunk(self.shape.n_heads, dim=-1) for name in ("query", "key", "value")]
        mask = torch.full((x.shape[1], x.shape[1]), -torch.inf, dtype=x.dtype).triu(1) if self.shape.causal else 0
        mixed = []
        for q, k, v in zip(*heads, strict=True):
            if self.shape.rotary:
                q, k = turned(q), turned(k)
            mixed.append((q @ k.mT / q.shape[-1] ** 0.5 + mask).softmax(-1) @ v)
        return self.linear("output", torch.cat(mixed, dim=-1))

    def mlp(self, x):
        return self.linear("mlp_out", F.gelu(self.linear("mlp_in", x)))

    def forward(self, x):
        for name, part in (("attention", self.attention), *([("mlp", self.mlp)] if self.shape.d_mlp else [])):
            if self.shape.norm == "pre":
                x = x + part(self.norm(name, x))
            elif self.shape.norm == "post":
                x = self.norm(name, x + part(x))
            else:
                x = x + part(x)
        return x


def turned(x):
    """Rotary positions by complex numbers."""
    n, width = x.shape[-2:]
    angle = torch.arange(n, dtype=x.dtype)[:, None] * 10_000.0 ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2)


def through_blocks(x, weights, shape):
    """The stream of one member behind the last block, its last norm included; `weights` by name."""
    for _ in range(shape.repeats):
        for number in range(shape.blocks):
            prefix = f"block{number}." if number else ""
            mine = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            x = OracleBlock(mine, shape)(x)
    if shape.norm == "pre":
        x = F.layer_norm(x, x.shape[-1:], weights["last_norm_gain"], weights["last_norm_bias"])
    return x


def dense_logits(model, tokens):
    """Logits of [CLS] on every key, [scene, head, key], from queries and keys at full width."""
    w = {name: t[0] for name, t in model.weights["vision"].items()}
    x = w["token"][torch.from_numpy(tokens)] * model.embedding_scale[0] + w["position"]
    query, key = x[:, 0] @ w["query_weight"] + w["query_bias"], x @ w["key_weight"]
    heads = model.shape.vision.n_heads
    query, key = query.unflatten(-1, (heads, -1)), key.unflatten(-1, (heads, -1))
    return torch.einsum("shw,skhw->shk", query, key) / query.shape[-1] ** 0.5


def true_sentences(scenes, tokens):
    """Every caption that is true of a scene, as text, read off its pixels."""
    places = {int(t): divmod(cell, scenes.n_positions) for cell, t in enumerate(tokens[1:]) if t}
    if len(places) == 1:
        return {f"{next(iter(places))} is in the image"}
    named = {"left": ["left"], "both": ["left", "right"], "above": ["above"], "left+above": ["left", "above"]}
    found = set()
    for (a, (row, column)), (b, (other_row, other_column)) in itertools.permutations(places.items(), 2):
        holds = {"left": column < other_column, "right": column > other_column, "above": row < other_row}
        words = {"left": "is on the left of", "right": "is on the right of", "above": "is above"}
        found |= {f"{a} {words[r]} {b}" for r in named[scenes.captions] if holds[r]}
    return found


def exchanged(text):
    """The sentence with its two labels exchanged."""
    first, *words, second = text.split()
    return " ".join([second, *words, first])


def by_hand(trial, scores):
    """Every accuracy of one trial by explicit loops over scenes and captions; `scores` rates captions by scene."""
    scenes = trial.scenes
    every = np.arange(sc.n_captions(scenes))
    named = [sc.caption_text(scenes, int(n)) for n in every]
    labels = [{word for word in text.split() if word.isdigit()} for text in named]
    result = {}
    for split, numbers in splits(scenes, seed=trial.seed).items():
        if not len(numbers):
            result |= {(split, m): None for m in METRICS}
            continue
        tokens = sc.scene_tokens(scenes, numbers)
        own = [{named.index(text) for text in true_sentences(scenes, row)} for row in tokens]
        in_split = set().union(*own)
        credit = {metric: [] for metric in METRICS}
        for score, mine in zip(scores(torch.from_numpy(tokens)), own, strict=True):
            best = max(range(len(score)), key=score.__getitem__)
            best_of_split = max(in_split, key=score.__getitem__)
            best_pair = max((n for n in every if len(labels[n]) == 2), key=score.__getitem__)
            credit["global"].append(best in mine)
            credit["inset"].append(best_of_split in mine)
            credit["labelset"].append(any(labels[best] == labels[n] for n in mine))
            ahead = [score[n] > score[named.index(exchanged(named[n]))] for n in mine if len(labels[n]) == 2]
            if ahead:
                credit["order"].append(np.mean(ahead))
                credit["pairs"].append(best_pair in mine)
        result |= {(split, m): float(np.mean(c)) if c else None for m, c in credit.items()}
    return result


def winners_by_hand(trial, scores):
    """The share of scenes that each kind of caption wins, by (split, kind), from the words of the captions."""
    scenes = trial.scenes
    named = [sc.caption_text(scenes, int(n)) for n in range(sc.n_captions(scenes))]
    result = {}
    for split, numbers in splits(scenes, seed=trial.seed).items():
        if not len(numbers):
            continue
        kinds = dict.fromkeys(("true", "order", "single", "partner", "other"), 0)
        tokens = sc.scene_tokens(scenes, numbers)
        for score, row in zip(scores(torch.from_numpy(tokens)), tokens, strict=True):
            winner = named[max(range(len(score)), key=score.__getitem__)]
            said = {word for word in winner.split() if word.isdigit()}
            there = {str(token) for token in row[1:] if token}
            if winner in true_sentences(scenes, row):
                kinds["true"] += 1
            elif not said & there:
                kinds["other"] += 1
            elif said <= there:
                kinds["order" if len(said) == 2 else "single"] += 1
            else:
                kinds["partner"] += 1
        result |= {(split, kind): n / len(numbers) for kind, n in kinds.items()}
    return result
