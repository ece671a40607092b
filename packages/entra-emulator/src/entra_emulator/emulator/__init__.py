"""What a program holds in its hand: `EntraEmulator`, and the browser window that signs people in."""
