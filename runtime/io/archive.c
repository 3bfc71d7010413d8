/*
 * A list of arrays plus an open-addressing table of their names, so that a file with a hundred
 * thousand names costs no more per name than one with ten. Arrays are allocated one by one: their
 * addresses stay good while the list grows.
 */
#include "io/archive.h"

#include "core/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lac_archive {
  lac_array **arrays;
  size_t count, capacity;
  size_t *slots; // position + 1 in arrays, 0 for free; slot_count is a power of two
  size_t slot_count;
  uint64_t used, limit;
};

uint64_t lac_archive_default_limit(void) {
  const uint64_t most = (uint64_t)16 << 30;
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page <= 0) return most;
  const uint64_t memory = (uint64_t)pages * (uint64_t)page;
  return memory < most ? memory : most;
}

lac_status lac_archive_new(lac_archive **out, uint64_t limit_bytes) {
  lac_archive *archive;
  LAC_TRY(lac_alloc(&archive, 1, sizeof *archive, "an archive"));
  archive->limit = limit_bytes ? limit_bytes : lac_archive_default_limit();
  *out = archive;
  return LAC_OK;
}

static void release_array(lac_array *array) {
  if (!array) return;
  free((char *)array->name);
  free(array->data);
  free(array);
}

void lac_archive_release(lac_archive *archive) {
  if (!archive) return;
  for (size_t i = 0; i < archive->count; i++)
    release_array(archive->arrays[i]);
  free(archive->arrays);
  free(archive->slots);
  free(archive);
}

uint64_t lac_archive_room(const lac_archive *archive) {
  return archive->limit - archive->used;
}

lac_status lac_array_count(uint64_t *out, const char *name, size_t rank, const uint64_t *dims) {
  uint64_t count = 1;
  int empty = 0;
  if (rank > LAC_ARRAY_MAX_RANK)
    return lac_fail(LAC_ESHAPE, "'%.200s' has %zu dimensions, at most %d are allowed", name, rank,
                    (int)LAC_ARRAY_MAX_RANK);
  for (size_t d = 0; d < rank; d++)
    empty |= dims[d] == 0;
  for (size_t d = 0; d < rank && !empty; d++) {
    if (dims[d] > (SIZE_MAX / 8) / count)
      return lac_fail(LAC_ESHAPE, "'%.200s' is too large: dimension %zu is %" PRIu64, name, d + 1,
                      dims[d]);
    count *= dims[d];
  }
  *out = empty ? 0 : count;
  return LAC_OK;
}

/* FNV-1a; a hostile file can make names collide, which costs time but no memory. */
static size_t hash_name(const char *name) {
  uint64_t h = 14695981039346656037u;
  for (; *name; name++)
    h = (h ^ (unsigned char)*name) * 1099511628211u;
  return (size_t)(h ^ h >> 29);
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t find_slot(const lac_archive *archive, const char *name) {
  size_t at = hash_name(name) & (archive->slot_count - 1);
  while (archive->slots[at] && strcmp(archive->arrays[archive->slots[at] - 1]->name, name) != 0)
    at = (at + 1) & (archive->slot_count - 1);
  return at;
}

static lac_status reserve_one(lac_archive *archive) {
  if (archive->count < archive->capacity) return LAC_OK;
  const size_t capacity = archive->capacity ? archive->capacity * 2 : 16;
  size_t *slots;
  LAC_TRY(lac_realloc(&archive->arrays, capacity, sizeof(lac_array *), "an archive's list"));
  LAC_TRY(lac_alloc(&slots, capacity * 2, sizeof *slots, "an archive's names"));
  free(archive->slots);
  archive->slots = slots;
  archive->slot_count = capacity * 2;
  archive->capacity = capacity;
  for (size_t i = 0; i < archive->count; i++)
    archive->slots[find_slot(archive, archive->arrays[i]->name)] = i + 1;
  return LAC_OK;
}

static lac_status check_name(const char *name) {
  for (const char *c = name; *c; c++)
    if ((unsigned char)*c < 32 || *c == 127)
      return lac_fail(LAC_EINVAL, "a tensor's name holds a control character (0x%02x)",
                      (unsigned)(unsigned char)*c);
  return LAC_OK;
}

static lac_status new_array(lac_array **out, const char *name, lac_dtype dtype, size_t rank,
                            const uint64_t *dims, uint64_t count) {
  const size_t length = strlen(name);
  lac_array *array = NULL;
  char *copy;
  lac_status status = lac_alloc(&array, 1, sizeof *array, "an array");
  if (status != LAC_OK) return status;
  status = lac_alloc(&copy, length + 1, 1, "an array's name");
  if (status != LAC_OK) goto out;
  memcpy(copy, name, length);
  array->name = copy;
  array->dtype = dtype;
  array->rank = rank;
  array->count = count;
  for (size_t d = 0; d < rank; d++)
    array->dims[d] = dims[d];
  status = lac_alloc(&array->data, (size_t)count, LAC_ELEMENT_BYTES, name);
out:
  if (status == LAC_OK)
    *out = array;
  else
    release_array(array);
  return status;
}

lac_status lac_archive_append(lac_archive *archive, lac_array **out, const char *name,
                              lac_dtype dtype, size_t rank, const uint64_t *dims) {
  uint64_t count;
  lac_array *array = NULL;
  LAC_TRY(check_name(name));
  LAC_TRY(lac_array_count(&count, name, rank, dims));
  if (lac_archive_find(archive, name)) return lac_fail(LAC_EINVAL, "'%.200s' appears twice", name);
  const uint64_t bytes = count * LAC_ELEMENT_BYTES, extra = sizeof *array + strlen(name) + 1;
  if (bytes > lac_archive_room(archive) || extra > lac_archive_room(archive) - bytes)
    return lac_fail(LAC_ENOMEM,
                    "'%.200s' needs %" PRIu64 " bytes, but only %" PRIu64
                    " of the limit of %" PRIu64 " are left",
                    name, bytes, lac_archive_room(archive), archive->limit);
  LAC_TRY(reserve_one(archive));
  LAC_TRY(new_array(&array, name, dtype, rank, dims, count));
  archive->slots[find_slot(archive, name)] = archive->count + 1;
  archive->arrays[archive->count++] = array;
  archive->used += bytes + extra;
  if (out) *out = array;
  return LAC_OK;
}

size_t lac_archive_count(const lac_archive *archive) {
  return archive->count;
}

const lac_array *lac_archive_at(const lac_archive *archive, size_t index) {
  return archive->arrays[index];
}

const lac_array *lac_archive_find(const lac_archive *archive, const char *name) {
  if (archive->slot_count == 0) return NULL;
  const size_t slot = archive->slots[find_slot(archive, name)];
  return slot ? archive->arrays[slot - 1] : NULL;
}
