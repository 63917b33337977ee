"""Finding faces: detector, landmarks, regions, alignment."""
