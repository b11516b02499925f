"""What carries rows of the store onward, each destination with its own durable cursor."""
