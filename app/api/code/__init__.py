"""Code workflows: trigger, follow, signal, cancel (contract 2)."""
