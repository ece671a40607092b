"""What clients asked, and what is to go wrong when they do."""
