"""How `evenkeel.api` asks a server, and what it makes of the answers."""
