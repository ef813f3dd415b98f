"""`python -m spikeweft.cli` is `spikeweft`."""

from spikeweft.cli.command_line import main

raise SystemExit(main())
