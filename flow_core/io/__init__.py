"""Files: pictures, rasters, interchange formats, and drawings of fields."""
