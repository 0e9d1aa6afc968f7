"""What a training step, the engines and their overhead cost, as ratios taken in one run (`make bench`)."""
