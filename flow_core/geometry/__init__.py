"""Grids of points, sampling of rasters and pictures, and the square that aligns a face."""
