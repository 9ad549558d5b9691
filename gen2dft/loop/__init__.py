"""The loop as pure functions over values: propose, choose, tell. It never sees the store."""
