"""The doctor: what is wrong with a data folder, or with what runs on it, in sentences that say what to do."""
