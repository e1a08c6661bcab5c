"""How steps get to the server: a background thread that cuts them into frames, a queue, a spool file, a connection."""
