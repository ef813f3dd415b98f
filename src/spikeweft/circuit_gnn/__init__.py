"""`CircuitGNN`, the method of this package: spike prediction and structure, fitted together."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "ablations": [
            "WithoutEnsembles",
            "WithoutExpectedInformation",
            "WithoutFisherMetric",
            "WithoutFurtherRounds",
            "WithoutHiddenCircuit",
            "WithoutLearnedLink",
            "WithoutPairNetwork",
            "WithoutSpectralStart",
            "WithoutStructure",
            "WithoutSymmetricFeatures",
            "WithoutWhitenedSteps",
        ],
        "estimator": ["CircuitGNN"],
    },
)
