"""What projections, forwarding and shared replays run on: consumers, leases, loops, processes."""
