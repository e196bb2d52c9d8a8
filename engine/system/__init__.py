"""The machine: atomic files, folders, memory, and numbers and text as users type them."""
