"""Who carries a task to its agent and the answer back by the wall clock, and the replay of what they did."""
