/* The folder is found through /proc/self/exe, which follows links: a link to lacuna in ~/bin works.
 */
#include "cli/paths.h"

#include "core/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static const char RELATIVE[] = "/share/lacuna/lua";

/* `path` becomes the folder that holds it. */
static void cut_last(char *path) {
  char *slash = strrchr(path, '/');
  if (slash) *slash = '\0';
}

static lac_status find_beside_executable(char folder[PATH_BYTES]) {
  const size_t room = PATH_BYTES - sizeof RELATIVE;
  const ssize_t n = readlink("/proc/self/exe", folder, room);
  if (n < 0)
    return lac_fail(LAC_EIO,
                    "the folder of the executable is unknown (/proc/self/exe: %s); set LACUNA_LUA "
                    "to the folder that holds cli/main.lua",
                    strerror(errno));
  if ((size_t)n == room)
    return lac_fail(LAC_EIO, "the path of the executable is longer than %zu bytes; set LACUNA_LUA",
                    room);
  folder[n] = '\0';
  cut_last(folder); // the file
  cut_last(folder); // bin
  const size_t length = strlen(folder);
  snprintf(folder + length, PATH_BYTES - length, "%s", RELATIVE);
  return LAC_OK;
}

lac_status lac_path_lua(char **out) {
  char folder[PATH_BYTES], probe[PATH_BYTES + 16];
  const char *given = getenv("LACUNA_LUA");
  if (given && *given) {
    if (strlen(given) >= sizeof folder)
      return lac_fail(LAC_EIO, "LACUNA_LUA is longer than %d bytes", PATH_BYTES);
    snprintf(folder, sizeof folder, "%s", given);
  } else {
    LAC_TRY(find_beside_executable(folder));
  }
  snprintf(probe, sizeof probe, "%s/cli/main.lua", folder);
  if (access(probe, R_OK) != 0)
    return lac_fail(LAC_EIO,
                    "the Lua modules are missing: cannot read %.900s (%s); set LACUNA_LUA %s",
                    probe, strerror(errno), "to the folder that holds cli/main.lua");
  const size_t bytes = strlen(folder) + 1;
  char *copy;
  LAC_TRY(lac_alloc(&copy, bytes, 1, "the path of the Lua modules"));
  memcpy(copy, folder, bytes);
  *out = copy;
  return LAC_OK;
}

lac_status lac_path_make_parents(const char *path) {
  const size_t bytes = strlen(path) + 1;
  char *part;
  LAC_TRY(lac_alloc(&part, bytes, 1, "a path"));
  memcpy(part, path, bytes);
  lac_status status = LAC_OK;
  for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(part, 0777) != 0 && errno != EEXIST) {
      status = lac_fail(LAC_EIO, "cannot make the folder %.900s: %s", part, strerror(errno));
      break;
    }
    *slash = '/';
  }
  free(part);
  return status;
}
