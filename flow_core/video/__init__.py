"""Edits on moving pictures."""
