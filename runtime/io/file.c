/*
 * Files by POSIX calls. A stage never removes or truncates the file at its path: that file is
 * replaced by one rename, which the file system makes atomic.
 */
#include "io/file.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static lac_status fail_path(const char *path, const char *verb) {
  return lac_fail(LAC_EIO, "%s: cannot %s: %s", path, verb, strerror(errno));
}

static lac_status read_fully(void **out, size_t size, int fd, const char *path) {
  char *bytes;
  size_t have = 0;
  LAC_TRY(lac_alloc(&bytes, size + 1, 1, path));
  while (have < size) {
    const ssize_t got = read(fd, bytes + have, size - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      free(bytes);
      if (got < 0) return fail_path(path, "read");
      return lac_fail(LAC_EIO, "%s: became shorter while it was read", path);
    }
    have += (size_t)got;
  }
  *out = bytes;
  return LAC_OK;
}

/* Open what must be a regular file. */
static lac_status open_regular(int *out, uint64_t *size, const char *path, int flags) {
  struct stat info;
  const int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0666); // a FIFO must not block here
  lac_status status = LAC_OK;
  if (fd < 0) return fail_path(path, "open");
  if (fstat(fd, &info) != 0)
    status = fail_path(path, "look at");
  else if (!S_ISREG(info.st_mode))
    status = lac_fail(LAC_EIO, "%s: is %s, not a file", path,
                      S_ISDIR(info.st_mode) ? "a directory" : "a device or pipe");
  if (status != LAC_OK) {
    close(fd);
    return status;
  }
  *out = fd;
  *size = (uint64_t)info.st_size;
  return LAC_OK;
}

lac_status lac_file_read(void **out, size_t *size, const char *path, uint64_t limit_bytes) {
  uint64_t length;
  lac_status status;
  int fd;
  LAC_TRY(open_regular(&fd, &length, path, O_RDONLY));
  if (length > limit_bytes)
    status = lac_fail(LAC_EINVAL, "%s: is %" PRIu64 " bytes long, at most %" PRIu64 " are allowed",
                      path, length, limit_bytes);
  else
    status = read_fully(out, (size_t)length, fd, path);
  if (status == LAC_OK) *size = (size_t)length;
  close(fd);
  return status;
}

lac_status lac_file_blame(lac_status status, const char *path) {
  if (status == LAC_OK) return LAC_OK;
  return lac_fail(status, "%s: %s", path, lac_message());
}

struct lac_stage {
  char *path, *temp;
  int fd; // of the temporary file while lac_stage_write fills it, else -1
  int committed;
};

lac_status lac_stage_open(lac_stage **out, const char *path) {
  const size_t length = strlen(path);
  lac_stage *stage;
  struct stat there;
  if (length == 0) return lac_fail(LAC_EIO, "cannot write a file without a name");
  if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) // the rename would replace even a device
    return lac_fail(LAC_EIO, "%s: is %s, not a regular file; it is not replaced", path,
                    S_ISDIR(there.st_mode) ? "a directory" : "a device or pipe");
  LAC_TRY(lac_alloc(&stage, 1, sizeof *stage, "a staged file"));
  stage->fd = -1;
  lac_status status = lac_alloc(&stage->path, length + 1, 1, "a path");
  if (status == LAC_OK) status = lac_alloc(&stage->temp, length + 32, 1, "a path");
  if (status != LAC_OK) {
    lac_stage_close(stage);
    return status;
  }
  memcpy(stage->path, path, length);
  snprintf(stage->temp, length + 32, "%s.tmp-%ld", path, (long)getpid());
  *out = stage;
  return LAC_OK;
}

const char *lac_stage_path(const lac_stage *stage) {
  return stage->path;
}

const char *lac_stage_temp(const lac_stage *stage) {
  return stage->temp;
}

static lac_status write_fully(int fd, const char *bytes, size_t size, const char *path) {
  lac_fault_moment();
  while (size > 0) {
    const ssize_t put = write(fd, bytes, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return fail_path(path, "write");
    bytes += put;
    size -= (size_t)put;
  }
  return LAC_OK;
}

lac_status lac_stage_write(lac_stage *stage, const void *bytes, size_t size) {
  if (stage->fd < 0) stage->fd = open(stage->temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (stage->fd < 0) return fail_path(stage->path, "create");
  return write_fully(stage->fd, bytes, size, stage->path);
}

static lac_status close_written(lac_stage *stage) {
  const int fd = stage->fd;
  stage->fd = -1;
  return fd >= 0 && close(fd) != 0 ? fail_path(stage->path, "write") : LAC_OK;
}

static lac_status sync_path(const char *path, int flags, const char *name) {
  const int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0) return fail_path(name, "sync");
  // a file system without a sync of directories answers EINVAL
  const int failed = fsync(fd) != 0 && errno != EINVAL;
  const lac_status status = failed ? fail_path(name, "sync") : LAC_OK;
  close(fd);
  return status;
}

lac_status lac_stage_commit(lac_stage *stage) {
  LAC_TRY(close_written(stage));
  LAC_TRY(sync_path(stage->temp, O_RDWR, stage->path));
  lac_fault_moment();
  if (rename(stage->temp, stage->path) != 0) return fail_path(stage->path, "replace");
  stage->committed = 1;
  lac_fault_moment();
  char *slash = strrchr(stage->temp, '/'); // the temporary name is no longer needed: cut it
  if (slash) slash[slash == stage->temp] = '\0';
  return sync_path(slash ? stage->temp : ".", O_RDONLY | O_DIRECTORY, stage->path);
}

void lac_stage_close(lac_stage *stage) {
  if (!stage) return;
  if (stage->fd >= 0) close(stage->fd);
  if (!stage->committed && stage->temp) unlink(stage->temp);
  free(stage->path);
  free(stage->temp);
  free(stage);
}

enum { APPEND_ROOM = 65536 };

struct lac_append {
  char *path, *waiting;
  uint64_t flushed; // bytes that the system has
  size_t count;     // that wait
  int fd;
};

static lac_status append_open(lac_append **out, const char *path, int flags, uint64_t bytes) {
  lac_append *file;
  uint64_t length = 0;
  LAC_TRY(lac_alloc(&file, 1, sizeof *file, "a log"));
  file->fd = -1;
  lac_status status = lac_alloc(&file->path, strlen(path) + 1, 1, "a path");
  if (status == LAC_OK) status = lac_alloc(&file->waiting, APPEND_ROOM, 1, "a log");
  if (status == LAC_OK) status = open_regular(&file->fd, &length, path, O_RDWR | flags);
  if (status == LAC_OK && length < bytes)
    status = lac_fail(LAC_EIO, "%s: is %" PRIu64 " bytes long, but was to go on after %" PRIu64,
                      path, length, bytes);
  if (status == LAC_OK && ftruncate(file->fd, (off_t)bytes) != 0) status = fail_path(path, "cut");
  if (status != LAC_OK) {
    lac_append_close(file);
    return status;
  }
  memcpy(file->path, path, strlen(path));
  file->flushed = bytes;
  *out = file;
  return LAC_OK;
}

lac_status lac_append_create(lac_append **out, const char *path) {
  return append_open(out, path, O_CREAT, 0);
}

lac_status lac_append_open(lac_append **out, const char *path, uint64_t bytes) {
  return append_open(out, path, 0, bytes);
}

/* All of the bytes, or none of them: what half got there is cut off, or else overwritten next. */
static lac_status put(lac_append *file, const char *bytes, size_t size) {
  if (lseek(file->fd, (off_t)file->flushed, SEEK_SET) < 0) return fail_path(file->path, "seek in");
  const lac_status status = write_fully(file->fd, bytes, size, file->path);
  if (status == LAC_OK) file->flushed += size;
  if (status != LAC_OK && ftruncate(file->fd, (off_t)file->flushed) != 0) return status;
  return status;
}

lac_status lac_append_flush(lac_append *file) {
  LAC_TRY(put(file, file->waiting, file->count));
  file->count = 0;
  return LAC_OK;
}

lac_status lac_append_write(lac_append *file, const void *bytes, size_t size) {
  if (size > APPEND_ROOM - file->count) LAC_TRY(lac_append_flush(file));
  if (size > APPEND_ROOM) return put(file, bytes, size);
  memcpy(file->waiting + file->count, bytes, size);
  file->count += size;
  return LAC_OK;
}

lac_status lac_append_sync(lac_append *file) {
  LAC_TRY(lac_append_flush(file));
  return fsync(file->fd) != 0 ? fail_path(file->path, "sync") : LAC_OK;
}

uint64_t lac_append_size(const lac_append *file) {
  return file->flushed + file->count;
}

void lac_append_close(lac_append *file) {
  if (!file) return;
  if (file->fd >= 0) {
    (void)lac_append_flush(file); // a caller who must know has flushed before
    close(file->fd);
  }
  free(file->path);
  free(file->waiting);
  free(file);
}
