import torch


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


LINK_DAMPING = 0.004
"""In nats per spike."""
