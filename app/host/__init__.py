"""The processes of one machine: what runs, in which order, and what happens when one dies."""
