/**
 * Named arrays in host memory, as every reader yields them and every writer takes them.
 */
#ifndef LAC_IO_ARCHIVE_H
#define LAC_IO_ARCHIVE_H

#include "core/dtype.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

enum { LAC_ARRAY_MAX_RANK = 8 };

/** One array: contiguous, row-major, in host memory. The archive owns the name and the data. */
typedef struct lac_array {
  const char *name;
  lac_dtype dtype;
  size_t rank; /* 0 is a single value */
  uint64_t dims[LAC_ARRAY_MAX_RANK];
  uint64_t count; /* product of dims */
  void *data;     /* float or int32_t [count] */
} lac_array;

typedef struct lac_archive lac_archive;

/**
 * An empty archive.
 *
 * @param limit_bytes  most bytes it may come to hold; 0 for lac_archive_default_limit()
 */
lac_status lac_archive_new(lac_archive **out, uint64_t limit_bytes);

/** 16 GiB, or the machine's memory where that is less. */
uint64_t lac_archive_default_limit(void);

/** The bytes that may still be appended. */
uint64_t lac_archive_room(const lac_archive *archive);

void lac_archive_release(lac_archive *archive);

/**
 * Append an array of zeros for the caller to fill.
 *
 * @param[out] out  borrowed, good while the archive lives; may be NULL
 * @param name      copied; any text without control characters, not yet in the archive
 * @return LAC_OK; LAC_EINVAL for the name; LAC_ESHAPE when rank or size is absurd;
 *         LAC_ENOMEM when the limit or the memory does not allow it
 */
lac_status lac_archive_append(lac_archive *archive, lac_array **out, const char *name,
                              lac_dtype dtype, size_t rank, const uint64_t *dims);

size_t lac_archive_count(const lac_archive *archive);

/** The array at a position, in order of appending; index < lac_archive_count(). */
const lac_array *lac_archive_at(const lac_archive *archive, size_t index);

/** The array of that name, NULL when there is none. */
const lac_array *lac_archive_find(const lac_archive *archive, const char *name);

/**
 * prod(dims), checked.
 *
 * @return LAC_OK; LAC_ESHAPE when rank > LAC_ARRAY_MAX_RANK or the product times 8 bytes overflows
 */
lac_status lac_array_count(uint64_t *out, const char *name, size_t rank, const uint64_t *dims);

#endif
