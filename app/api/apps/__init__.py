"""The apps API: HTTP for the clients of the Workflow DevKit, with the DevKit's own bodies and errors."""
