"""The board on the bench: describe it, build for it, flash it, provision it."""
