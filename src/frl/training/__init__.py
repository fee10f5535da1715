"""What decides the numbers of a run: physics, learner, servers, clock, loop. Everything here is in the code digest."""
