"""The only rooms that reach outside: clocks, threads, event loops, processes, sockets, HTTP."""
