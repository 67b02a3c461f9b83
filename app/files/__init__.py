"""Files as people have them: opened, read and guessed by the same code for `init`, `send`, `warm-start`, `baseline` and `diff`."""
