"""The machine: atomic files, folders, memory, numbers and text as people write them."""
