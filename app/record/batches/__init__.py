"""The tables of batches: definitions, graphs, checkpoints, and the effects to undo."""
