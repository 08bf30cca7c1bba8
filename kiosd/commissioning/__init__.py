"""What an installer needs on a board: what is plugged in, what is wrong with the board, and a walk through each device."""
