"""What a manager reads: figures computed from the journal, exactly (domain sections 8 and 10)."""
