"""Jobs: generators of events, the loop that drives them, and the child processes they use."""
