"""BERT (Devlin et al., 2018) that classifies padded sequences."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attention_output, self.attention_norm = nn.Linear(width, width), nn.LayerNorm(width, eps=1e-12)
        self.intermediate, self.output = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.output_norm = nn.LayerNorm(width, eps=1e-12)

    def attention(self, x, mask):
        batch, length, width = x.shape
        query, key, value = (part(x).view(batch, length, self.heads, width // self.heads).permute(0, 2, 1, 3)
                             for part in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / math.sqrt(width // self.heads) + mask
        result = F.softmax(scores, dim=-1).to(value.dtype) @ value
        return result.permute(0, 2, 1, 3).reshape(batch, length, width)

    def forward(self, x, mask):
        x = self.attention_norm(self.attention_output(self.attention(x, mask)) + x)
        return self.output_norm(self.output(F.gelu(self.intermediate(x))) + x)


class Bert(nn.Module):
    def __init__(self, vocabulary, context, width, heads, hidden, depth, classes):
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.types, self.norm = nn.Embedding(2, width), nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Block(width, heads, hidden) for _ in range(depth))
        self.pooler, self.classifier = nn.Linear(width, width), nn.Linear(width, classes)
        self.register_buffer("position_ids", torch.arange(context)[None], persistent=False)

    def forward(self, x, mask):
        length, dtype = x.shape[1], self.words.weight.dtype
        hidden = self.words(x) + self.types(torch.zeros_like(x)) + self.places(self.position_ids[:, :length])
        hidden = self.norm(hidden)
        added = (1 - mask[:, None, None, :].to(dtype)) * torch.finfo(dtype).min
        for layer in self.layers:
            hidden = layer(hidden, added)
        return self.classifier(torch.tanh(self.pooler(hidden[:, 0])))


def build(vocabulary=32, context=16, width=24, heads=2, hidden=48, depth=2, classes=5):
    return Bert(vocabulary, context, width, heads, hidden, depth, classes)
