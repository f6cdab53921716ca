"""Every transition of a run and of its steps: decided under the run's lock, committed as one transaction."""
