"""Applying a field to pictures, latents and masks, and measuring what it does."""
