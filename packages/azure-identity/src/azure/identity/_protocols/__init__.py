"""How requests are built and answers are read. Pure functions: values in, values out, the time is an argument."""
