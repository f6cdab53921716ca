"""A worker process: Celery's application and tasks, the loop that claims, executes and settles steps."""
