"""Edits as fields of offsets and colours: raster, velocity and neural, their files and their arithmetic."""
