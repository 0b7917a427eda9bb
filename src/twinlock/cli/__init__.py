"""The command line. Every command has ``--json`` where it prints a result, and exit codes."""
