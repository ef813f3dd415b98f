"""Where the default `YoonGNN` departs from the published form, and why."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Departure(NamedTuple):
    """One setting in which the default is not the published form.

    Attributes
    ----------
    as_published
        Its value in the published form.
    is_given
        Whether the paper gives that value; if not, it is what is usual, or chosen.
    why
        Why the default has another, in one sentence.
    """

    as_published: Any
    is_given: bool
    why: str


class DescentPart(NamedTuple):
    """One part of a steady descent: what stands in its place otherwise, what it is, and why."""

    as_published: str
    steady: str
    why: str


DEPARTURES: Mapping[str, Departure] = {
    "history_window_s": Departure(
        0.02,
        True,
        "A window of 2τ cuts off 14 % of a synaptic current, and the weights of slow patterns grow "
        "to make up for it.",
    ),
    "bin_s": Departure(
        1e-3,
        False,
        "Spikes of the bin itself are not seen, and the weights of slow patterns grow to make up "
        "for them, less in narrower bins.",
    ),
    "smooth_kernels": Departure(
        False,
        False,
        "Through kernels that are noise neurons say mostly noise, and the graph takes its first "
        "steps by it.",
    ),
    "whitened_embedding": Departure(
        False,
        True,
        "From convolved trains the directions that tell co-active neurons apart are learned many "
        "times more slowly than the bumps.",
    ),
    "symmetric_pairs": Departure(
        False,
        True,
        "The graph is symmetric, and is learned in about half the steps where the MLP sees only "
        "what is the same both ways round.",
    ),
    "even_start": Departure(
        False,
        False,
        "Over random weights the predictor learns to do without other neurons, or by who fires "
        "together, and forgets that slowly.",
    ),
    "input_turns": Departure(
        False,
        True,
        "An input shifts the columns of W in the simulated circuit, and weights that stay where "
        "they are can at best be those of a circuit blurred by its turning.",
    ),
    "n_units": Departure(
        64,
        False,
        "A small predictor cannot do without the weights.",
    ),
    "n_message_units": Departure(
        64,
        False,
        "With few units φ cannot do without the weights either, and time grows with them.",
    ),
    "message_width": Departure(
        64,
        False,
        "With few numbers in a message the weights must do the work, and a step takes less time.",
    ),
    "consecutive_bins": Departure(
        1,
        False,
        "Bins in a row share their convolution, which makes a step several times faster.",
    ),
    "sampled_bins": Departure(
        1,
        False,
        "∫λ from one bin in four, in turn, is right on average and costs less, and rates change "
        "little in two milliseconds.",
    ),
    "steady_descent": Departure(
        False,
        True,
        "W is learned long after prediction, by steps that must neither fade nor stop too soon; "
        "this is five departures in one.",
    ),
    "n_epochs": Departure(
        100,
        False,
        "A steady descent needs a length that is set beforehand, and takes longer steps, of which "
        "fewer will do.",
    ),
    "batch_size": Departure(
        64,
        False,
        "Batches hold about as many spikes whatever the bins and the number of neurons, since few "
        "spikes make a noisy step.",
    ),
}
"""Every setting in which the two forms differ."""

AS_PUBLISHED: Mapping[str, Any] = {
    name: departure.as_published for name, departure in DEPARTURES.items()
}
"""The published form where τ is 10 ms: every value that the paper gives, and for what it leaves
open what is usual (sizes of 64, 64 bins a batch, an epoch of 200 batches)."""

STEADY_DESCENT: Mapping[str, DescentPart] = {
    "size of steps": DescentPart(
        "5e-4, falling exponentially",
        "3e-3, falling evenly to zero by the last epoch",
        "Steps that fall exponentially can be over before W is learned.",
    ),
    "beginning": DescentPart(
        "full steps at once",
        "steps that rise over the first epoch",
        "Adam's first steps are as long as its step size, whatever the gradient.",
    ),
    "structure": DescentPart(
        "is trained from the start",
        "what structure learning alone owns rests in the first epoch",
        "Before the predictor knows what a neuron's own spikes say, the graph would learn who "
        "fires together.",
    ),
    "long gradients": DescentPart(
        "are taken as they are",
        "are shortened to 1.5 times what is usual",
        "A single long one can throw W back, and with longer steps training has diverged.",
    ),
    "end": DescentPart(
        "once held-out spikes have gained nothing for `patience` epochs",
        "the last epoch; the weights are those of the best one by held-out spikes",
        "Held-out spikes hardly gain for many epochs while Δ still falls.",
    ),
}
"""What `steady_descent` changes, part by part."""
