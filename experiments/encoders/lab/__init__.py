"""Training of sketchseek's dual encoders on one GPU (or on a CPU, slowly)."""
