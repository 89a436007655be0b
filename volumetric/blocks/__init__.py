"""The block engine: plan -> ledger -> blockmap -> execute. No stage writes its own loop over tiles."""
