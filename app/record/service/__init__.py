"""What the service keeps beside runs: keys, requests, schedules, webhooks, heartbeats."""
