"""The far side of the hardware, simulated: for tests, demonstration and training."""
