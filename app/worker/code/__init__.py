"""Code workflows inside a worker: the replay of a function, and what it writes."""
