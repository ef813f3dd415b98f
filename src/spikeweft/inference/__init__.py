"""From one recording to one result folder, and the same result made again."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cluster": ["cluster_at", "local_cluster", "slurm_cluster"],
        "cluster_workers": ["ClusterWorkers"],
        "train_test": ["Parts", "parts_of"],
        "reproduction": ["Reproduction", "reproduce"],
        "run": ["infer", "score", "write_report"],
        "settings": ["Inference"],
    },
)
