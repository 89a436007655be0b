"""Files in and out: images, volumes, tables, checkpoints, records. Everything is written by rename."""
