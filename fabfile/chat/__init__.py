"""prompt's inside: the conversation with a model, told as events."""
