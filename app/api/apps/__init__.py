"""The door of apps: what the Workflow DevKit's clients speak, in its own shapes of bodies and errors."""
