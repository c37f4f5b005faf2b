"""A tabular MLP: numbers that are normalised, categories that are embedded, two hidden layers, one number out."""

import torch
from torch import nn


class Tabular(nn.Module):
    def __init__(self, numbers, categories, width, hidden):
        super().__init__()
        self.norm = nn.BatchNorm1d(numbers)
        self.embedding = nn.Embedding(categories, width)
        self.layers = nn.Sequential(nn.Linear(numbers + width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(),
                                    nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, x, category):
        return self.layers(torch.cat([self.norm(x), self.embedding(category)], dim=1))


def build(numbers=10, categories=7, width=6, hidden=32):
    return Tabular(numbers, categories, width, hidden)
