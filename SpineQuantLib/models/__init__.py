"""The U-Net, the committee, and the store of weights with their cards."""
