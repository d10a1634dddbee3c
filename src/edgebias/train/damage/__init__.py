"""What damaged pre-training data passes on, measured on images with small networks (after arXiv:2402.01909)."""
