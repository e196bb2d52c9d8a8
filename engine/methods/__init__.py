"""The methods: what each minimises, and the settings that are its own."""
