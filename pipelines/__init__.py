"""The workflows: one file a command, all alike: parse, configure, plan, print, run."""
