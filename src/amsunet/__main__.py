"""``python -m amsunet`` is the command ``amsunet``."""

from amsunet.cli import main

main()
