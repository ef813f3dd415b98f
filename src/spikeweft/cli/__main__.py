"""`python -m spikeweft.cli` is `spikeweft`."""

from spikeweft.cli import main

raise SystemExit(main())
