"""The peers: each in its own idiom, run by an environment that holds nothing of Windlass."""
