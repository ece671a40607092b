"""Where tokens are kept between calls."""
