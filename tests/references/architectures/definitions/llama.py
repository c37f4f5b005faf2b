"""Llama (Touvron et al., 2023) with heads that share keys (Ainslie et al., GQA, 2023), on padded sequences."""

import torch
import torch.nn.functional as F
from torch import nn


class RmsNorm(nn.Module):
    def __init__(self, width, eps=1e-5):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def rotate(x):
    low, high = x[..., :x.shape[-1] // 2], x[..., x.shape[-1] // 2:]
    return torch.cat((-high, low), dim=-1)


def repeat(x, times):
    batch, heads, length, depth = x.shape
    return x[:, :, None].expand(batch, heads, times, length, depth).reshape(batch, heads * times, length, depth)


class Attention(nn.Module):
    def __init__(self, width, heads, key_heads):
        super().__init__()
        self.heads, self.key_heads, self.depth = heads, key_heads, width // heads
        self.q_proj, self.o_proj = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, key_heads * self.depth, bias=False)
        self.v_proj = nn.Linear(width, key_heads * self.depth, bias=False)

    def forward(self, x, cos, sin, seen):
        batch, length, _ = x.shape

        def heads_of(part, heads):
            return part.view(batch, length, heads, self.depth).transpose(1, 2)

        query, key = heads_of(self.q_proj(x), self.heads), heads_of(self.k_proj(x), self.key_heads)
        value = heads_of(self.v_proj(x), self.key_heads)
        query, key = query * cos + rotate(query) * sin, key * cos + rotate(key) * sin
        key, value = (repeat(part, self.heads // self.key_heads) for part in (key, value))
        result = F.scaled_dot_product_attention(query, key.to(query.dtype), value.to(query.dtype), attn_mask=seen)
        return self.o_proj(result.transpose(1, 2).reshape(batch, length, -1))


class Block(nn.Module):
    def __init__(self, width, heads, key_heads, hidden):
        super().__init__()
        self.input_norm, self.post_norm = RmsNorm(width), RmsNorm(width)
        self.attention = Attention(width, heads, key_heads)
        self.gate, self.up = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x, cos, sin, seen):
        x = x + self.attention(self.input_norm(x), cos, sin, seen)
        y = self.post_norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    def __init__(self, vocabulary, context, width, heads, key_heads, hidden, depth):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(Block(width, heads, key_heads, hidden) for _ in range(depth))
        self.norm, self.head = RmsNorm(width), nn.Linear(width, vocabulary, bias=False)
        columns = width // heads
        angles = torch.outer(torch.arange(context), 10000.0 ** (-torch.arange(0, columns, 2) / columns))
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos()[None, None], persistent=False)
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin()[None, None], persistent=False)

    def forward(self, x, mask):
        length = x.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        seen = causal[None, None] & mask.to(torch.bool)[:, None, None, :]
        hidden = self.embed(x)
        for layer in self.layers:
            hidden = layer(hidden, self.cos[:, :, :length], self.sin[:, :, :length], seen)
        return self.head(self.norm(hidden))


def build(vocabulary=32, context=12, width=32, heads=4, key_heads=2, hidden=48, depth=2):
    return Llama(vocabulary, context, width, heads, key_heads, hidden, depth)
