#include "io/folder.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static lac_status make_one(const char *path) {
  struct stat there;
  if (mkdir(path, 0777) == 0) return LAC_OK;
  const int why = errno;
  if (stat(path, &there) == 0 && S_ISDIR(there.st_mode)) return LAC_OK;
  return lac_fail(LAC_EIO, "cannot make the folder %s: %s", path,
                  why == EEXIST ? "a file of that name is there" : strerror(why));
}

lac_status lac_folder_make(const char *path) {
  const size_t length = strlen(path);
  char *part;
  if (length == 0) return lac_fail(LAC_EIO, "cannot make a folder without a name");
  LAC_TRY(lac_alloc(&part, length + 1, 1, "a path"));
  memcpy(part, path, length);
  lac_status status = LAC_OK;
  for (size_t i = 1; i <= length && status == LAC_OK; i++) {
    if (path[i] != '/' && path[i] != '\0') continue;
    part[i] = '\0';
    status = make_one(part);
    part[i] = path[i];
  }
  free(part);
  return status;
}

struct lac_lock {
  int fd;
};

lac_status lac_lock_open(lac_lock **out, const char *path) {
  lac_lock *lock;
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return lac_fail(LAC_EIO, "cannot open %s: %s", path, strerror(errno));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(fd);
    return lac_fail(LAC_EIO, "%s is held by another process that is still running", path);
  } // a file system without locks answers otherwise: then there is none
  const lac_status status = lac_alloc(&lock, 1, sizeof *lock, "a lock");
  if (status != LAC_OK) {
    close(fd);
    return status;
  }
  lock->fd = fd;
  *out = lock;
  return LAC_OK;
}

void lac_lock_close(lac_lock *lock) {
  if (!lock) return;
  close(lock->fd);
  free(lock);
}
