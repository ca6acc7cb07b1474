"""What the waiting client and the asyncio client agree on about channels: options, and when to connect again."""
