"""Fine-tuning and preference tuning of a build, and how the trained weights become a build again."""
