"""What decides the numbers of a run: physics, learner, servers, clock, loop. Everything here is in the code digest."""

from frl.training import numerics

numerics.set_up()
