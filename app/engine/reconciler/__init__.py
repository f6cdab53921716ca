"""What SQL expects and nobody carries: lost messages, due timers, leases, schedules."""
