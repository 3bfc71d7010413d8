/*
 * An entry is $XDG_CACHE_HOME/lacuna/<hash of the key>.bin:
 *
 *   "lacbin1\n"  crc32 of all that follows (4)  key bytes (8)  binary bytes (8)  key  binary
 *
 * The key is compared in full, so two keys with one hash cannot be mistaken for each other; the
 * checksum catches what a crash or a full disk left behind.
 */
#include "device/binaries.h"

#include "core/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const char magic[8] = {'l', 'a', 'c', 'b', 'i', 'n', '1', '\n'};
enum { HEADER_BYTES = 28, PATH_BYTES = 1024, LIMIT_BYTES = 256 << 20 };

static uint64_t hash_key(const char *key) {
  uint64_t hash = 14695981039346656037u; // FNV-1a, 64 bits
  for (; *key; key++)
    hash = (hash ^ (unsigned char)*key) * 1099511628211u;
  return hash;
}

/* Make the directory and the entry's path; false where no home is known or a name is too long. */
static bool entry_path(char path[PATH_BYTES], const char *key, bool make) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  char dir[PATH_BYTES];
  int n;
  if (cache && *cache)
    n = snprintf(dir, sizeof dir, "%s/lacuna", cache);
  else if (home && *home)
    n = snprintf(dir, sizeof dir, "%s/.cache/lacuna", home);
  else
    return false;
  if (n < 0 || (size_t)n >= sizeof dir) return false;
  for (char *p = dir + 1; make && *p; p++) {
    if (*p != '/') continue;
    *p = '\0';
    mkdir(dir, 0700);
    *p = '/';
  }
  if (make && mkdir(dir, 0700) != 0 && errno != EEXIST) return false;
  n = snprintf(path, PATH_BYTES, "%s/%016" PRIx64 ".bin", dir, hash_key(key));
  return n > 0 && n < PATH_BYTES;
}

/* The whole file, or NULL. */
static unsigned char *read_file(const char *path, size_t *size) {
  struct stat info;
  unsigned char *bytes = NULL;
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  if (fstat(fileno(file), &info) == 0 && info.st_size >= HEADER_BYTES &&
      info.st_size < LIMIT_BYTES &&
      lac_alloc(&bytes, (size_t)info.st_size, 1, "a cached program") == LAC_OK) {
    *size = (size_t)info.st_size;
    if (fread(bytes, 1, *size, file) != *size) {
      free(bytes);
      bytes = NULL;
    }
  }
  fclose(file);
  return bytes;
}

bool lac_binaries_load(const char *key, unsigned char **bytes, size_t *size) {
  char path[PATH_BYTES];
  size_t total = 0;
  if (!entry_path(path, key, false)) return false;
  unsigned char *entry = read_file(path, &total);
  if (!entry) return false;
  uint32_t crc;
  uint64_t lengths[2];
  memcpy(&crc, entry + 8, 4);
  memcpy(lengths, entry + 12, 16);
  const bool whole = memcmp(entry, magic, 8) == 0 && lengths[0] == strlen(key) &&
                     lengths[1] == total - HEADER_BYTES - lengths[0] &&
                     crc32(0, entry + 12, (uInt)(total - 12)) == crc &&
                     memcmp(entry + HEADER_BYTES, key, lengths[0]) == 0;
  if (!whole) {
    free(entry);
    return false;
  }
  memmove(entry, entry + HEADER_BYTES + lengths[0], lengths[1]);
  *bytes = entry;
  *size = lengths[1];
  return true;
}

void lac_binaries_store(const char *key, const unsigned char *bytes, size_t size) {
  char path[PATH_BYTES], temporary[PATH_BYTES + 32];
  if (size > LIMIT_BYTES / 2 || !entry_path(path, key, true)) return;
  snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
  FILE *file = fopen(temporary, "wb");
  if (!file) return;
  const uint64_t lengths[2] = {strlen(key), size};
  uLong crc = crc32(0, (const Bytef *)lengths, 16);
  crc = crc32(crc, (const Bytef *)key, (uInt)lengths[0]);
  crc = crc32(crc, bytes, (uInt)size);
  const uint32_t stored = (uint32_t)crc;
  bool good = fwrite(magic, 1, 8, file) == 8 && fwrite(&stored, 1, 4, file) == 4 &&
              fwrite(lengths, 1, 16, file) == 16 &&
              fwrite(key, 1, lengths[0], file) == lengths[0] &&
              fwrite(bytes, 1, size, file) == size;
  good = fclose(file) == 0 && good;
  if (!good || rename(temporary, path) != 0) remove(temporary);
}
