"""From a picture and words to a field: optimisation under a guide, and prediction in one shot."""
