"""Image-text models that say how near a face is to a text, and the prompts that they read."""
