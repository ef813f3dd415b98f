"""Settings of a fit."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """Settings of a fit, as `CircuitGNN` explains them."""

    tau_s: float | None
    history_window_s: float
    n_hidden: int
    covariates: tuple[str, ...]
    rotated_by: str | None
    seed: int
