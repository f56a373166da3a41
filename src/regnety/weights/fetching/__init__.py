"""Published weights on their way to this disk: from the Hub, or from the addresses their authors gave."""
