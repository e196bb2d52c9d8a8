"""The methods: what each minimises, and its own settings."""
