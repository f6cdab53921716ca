"""Apps: what the door of the Workflow DevKit offers, one module a use case."""
