"""What is published after a commit: messages to Celery's queues, and the cache of due timers in Redis."""
