"""Code workflows: trigger, follow, signal, cancel (contracts/code-workflows.rst)."""
