"""The words on the wire: step frames, spool records, acks and limits (`packages/protocol/README.md`)."""
