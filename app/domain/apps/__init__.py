"""The rules of apps: applications of the Workflow DevKit, which execute their runs and keep them here.

The wire is that of the DevKit's "world" service. Plain Python: what an event does is decided from rows and
given back as rows to write, so that both databases and every path write the same.
"""
