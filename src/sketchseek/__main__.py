"""``python -m sketchseek`` is the command ``sketchseek``."""

from sketchseek.cli import main

main()
