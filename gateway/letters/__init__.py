"""Dead letters for a person: listed, explained, and handed back to the journal to be read again."""
