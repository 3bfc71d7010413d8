std = "lua54"
max_line_length = 120
ignore = {"211/scope", "211/outer", "211/held", "211/lock"} -- <close> variables that only bound a lifetime
files["recipes/"] = {globals = {}, read_globals = {"lac", "clock", "schedule"}}
files["tests/"] = {read_globals = {"clock"}}
