/* The block is read and written by POSIX calls, so that a damaged file never reaches libhdf5. */
#include "io/seal.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 1 << 20 };

static const char magic[] = "lacuna checksum v";

static lac_status fail_path(const char *path, const char *verb) {
  return lac_fail(LAC_EIO, "%s: cannot %s: %s", path, verb, strerror(errno));
}

/* CRC-32 of all that follows the block. */
static lac_status sum_up(uint32_t *out, int fd, const char *path) {
  unsigned char *chunk;
  ssize_t got;
  off_t at = LAC_SEAL_BYTES;
  uLong crc = crc32(0, NULL, 0);
  LAC_TRY(lac_alloc(&chunk, CHUNK, 1, "a checksum"));
  while ((got = pread(fd, chunk, CHUNK, at)) > 0 || (got < 0 && errno == EINTR)) {
    if (got < 0) continue;
    crc = crc32(crc, chunk, (uInt)got);
    at += got;
  }
  const lac_status status = got < 0 ? fail_path(path, "read") : LAC_OK;
  free(chunk);
  *out = (uint32_t)crc;
  return status;
}

static lac_status write_block(int fd, const char *path) {
  struct stat info;
  uint32_t crc = 0;
  char block[LAC_SEAL_BYTES] = {0};
  if (fstat(fd, &info) != 0) return fail_path(path, "look at");
  LAC_TRY(sum_up(&crc, fd, path));
  snprintf(block, sizeof block, "%s1\nbytes %jd\ncrc32 %08" PRIx32 "\n", magic,
           (intmax_t)info.st_size - LAC_SEAL_BYTES, crc);
  if (pwrite(fd, block, sizeof block, 0) != (ssize_t)sizeof block) return fail_path(path, "write");
  return LAC_OK;
}

lac_status lac_seal_write(const char *path) {
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return fail_path(path, "open");
  lac_status status = write_block(fd, path);
  if (close(fd) != 0 && status == LAC_OK) status = fail_path(path, "write");
  return status;
}

static lac_status check_block(const char *block, int fd, uint64_t size, const char *path,
                              bool thorough) {
  unsigned version;
  uint64_t bytes;
  uint32_t crc, found = 0;
  if (sscanf(block + strlen(magic), "%u", &version) == 1 && version > 1)
    return lac_fail(LAC_EUNSUPPORTED, "%s: was written by a newer version (checksum v%u)", path,
                    version);
  if (sscanf(block + strlen(magic), "1\nbytes %" SCNu64 "\ncrc32 %" SCNx32, &bytes, &crc) != 2)
    return lac_fail(LAC_EIO, "%s: is damaged: its checksum block is unreadable", path);
  const uint64_t have = size > LAC_SEAL_BYTES ? size - LAC_SEAL_BYTES : 0;
  if (have < bytes)
    return lac_fail(LAC_EIO, "%s: is truncated: %" PRIu64 " of %" PRIu64 " bytes are there", path,
                    size, bytes + LAC_SEAL_BYTES);
  if (have > bytes)
    return lac_fail(LAC_EIO, "%s: is damaged: %" PRIu64 " bytes follow its end", path,
                    have - bytes);
  if (!thorough) return LAC_OK;
  LAC_TRY(sum_up(&found, fd, path));
  if (found != crc)
    return lac_fail(LAC_EIO,
                    "%s: is damaged: its checksum is %08" PRIx32 ", expected %08" PRIx32
                    "; copy or make the file again",
                    path, found, crc);
  return LAC_OK;
}

lac_status lac_seal_check(const char *path, bool thorough) {
  struct stat info;
  char block[LAC_SEAL_BYTES + 1] = {0};
  lac_status status = LAC_OK;
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail_path(path, "open");
  if (fstat(fd, &info) != 0)
    status = fail_path(path, "look at");
  else if (!S_ISREG(info.st_mode))
    status = lac_fail(LAC_EIO, "%s: is not a file", path);
  else if (pread(fd, block, LAC_SEAL_BYTES, 0) < 0)
    status = fail_path(path, "read");
  else if (memcmp(block, magic, strlen(magic)) == 0)
    status = check_block(block, fd, (uint64_t)info.st_size, path, thorough);
  close(fd);
  return status;
}
