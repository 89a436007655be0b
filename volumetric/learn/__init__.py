"""What every network shares: the device, the backbone, the training loop."""
