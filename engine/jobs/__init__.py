"""Jobs: generators of events, how they are driven, and the child processes they use."""
