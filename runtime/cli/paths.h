/**
 * Where the Lua modules lie, seen from the executable, so that a moved installation still works.
 */
#ifndef LAC_CLI_PATHS_H
#define LAC_CLI_PATHS_H

#include "core/status.h"

/**
 * The folder that holds cli/main.lua: $LACUNA_LUA when set, else ../share/lacuna/lua beside the
 * folder of the executable. The build tree has the same shape as an installation.
 *
 * @param[out] out  absolute unless $LACUNA_LUA is relative; freed with free()
 * @return LAC_OK; LAC_EIO when the executable cannot be found or there is no cli/main.lua in the
 * folder; LAC_ENOMEM
 */
lac_status lac_path_lua(char **out);

/** Make every missing folder above the last '/' of `path`. @return LAC_OK; LAC_EIO; LAC_ENOMEM */
lac_status lac_path_make_parents(const char *path);

#endif
