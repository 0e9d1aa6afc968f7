"""The oracle: the simplified model and its loss as a textbook writes them, one trial at a time.

Dense attention over every position with an explicit causal mask, nn.Linear with all its biases (the key bias
included), cross-entropy over a full similarity matrix. Slow and obvious on purpose; shares no code with lrsym.
"""

import torch
from torch import nn
from torch.nn import functional as F


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
