"""The rules of apps: applications of the Workflow DevKit, which execute their runs and keep them here.

The protocol is that of the DevKit's "world" service. Pure functions: they take rows that were read and return
rows to write, so that both databases and every path write the same.
"""
