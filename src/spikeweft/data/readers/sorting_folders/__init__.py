"""Folders that spike sorters and their tools write: Phy and Kilosort, IBL's ALF, SpikeInterface."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "alf": ["alf_contents", "is_alf"],
        "phy": ["is_phy", "phy_contents"],
        "spikeinterface_folders": ["is_spikeinterface", "spikeinterface_contents"],
        "spikeinterface_objects": ["from_spikeinterface"],
    },
)
