"""Everything whose change must retrain: physics, learner, servers, clock, loop."""
