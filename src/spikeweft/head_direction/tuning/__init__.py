"""Tuning to the head's direction: cells, curves, decoding, and spikes that have nothing else."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cells": ["HeadDirectionCells", "head_direction_cells"],
        "curves": ["TuningCurves", "tuning_curves"],
        "decoding": ["Decoding", "decode_direction"],
        "direction": ["find_angle", "with_angle"],
        "preparation": ["Prepared", "prepare"],
        "surrogates": ["UncoupledNeurons", "wandering"],
    },
)
