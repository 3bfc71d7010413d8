/**
 * Reading HDF5 files: named arrays, texts and attributes.
 *
 * A path inside a file is "group/name", with or without a slash before it. Only what hard links
 * reach is seen: soft and external links, external and virtual storage are not followed, so a file
 * cannot make a reader open another. libhdf5 is serial: one thread at a time, over all files.
 */
#ifndef LAC_IO_HDF5_H
#define LAC_IO_HDF5_H

#include "io/archive.h"
#include "io/stored.h"

#include <stdbool.h>

typedef struct lac_hdf5 lac_hdf5;

/**
 * Open a file for reading. A checksum block (io/seal) is verified before libhdf5 sees the file.
 *
 * @param thorough  also verify the checksum, which reads the whole file once; else only the length
 * @return LAC_OK; LAC_EIO when missing, truncated, damaged or not HDF5, with the path
 */
lac_status lac_hdf5_open(lac_hdf5 **out, const char *path, bool thorough);

void lac_hdf5_close(lac_hdf5 *file);

/** The datasets, sorted by path. */
size_t lac_hdf5_count(const lac_hdf5 *file);
const char *lac_hdf5_name(const lac_hdf5 *file, size_t index);

/** True when there is a dataset at the path. */
bool lac_hdf5_has(const lac_hdf5 *file, const char *path);

/** The bytes that a dataset's elements take in the file, compressed as they are. */
lac_status lac_hdf5_stored_bytes(uint64_t *out, const lac_hdf5 *file, const char *path);

/**
 * Read a dataset of floats (as float32) or integers and booleans (as int32).
 *
 * @param[out] out  an archive with one array, named by its path; released by the caller
 * @return LAC_OK; LAC_EIO; LAC_EINVAL for integers beyond int32; LAC_EUNSUPPORTED for other types;
 *         LAC_ESHAPE for more than 8 dimensions; LAC_ENOMEM
 */
lac_status lac_hdf5_read(lac_archive **out, const lac_hdf5 *file, const char *path);

/**
 * Read a text: bytes (a list of uint8), or one string.
 *
 * @param[out] out     with a closing zero byte; freed with free()
 * @param[out] length  without that zero
 */
lac_status lac_hdf5_read_text(char **out, size_t *length, const lac_hdf5 *file, const char *path);

/** Where the rows of a dataset lie in the file, for reading them without libhdf5. */
typedef struct lac_hdf5_place {
  lac_stored type; /* LAC_STORED_F32 or LAC_STORED_F16 */
  uint64_t offset; /* of the first element, in bytes from the beginning of the file */
  uint64_t rows, width;
} lac_hdf5_place;

/**
 * Find a dataset [rows, width] of float32 or float16 that lies in one piece.
 *
 * @return LAC_OK; LAC_EINVAL when there is none; LAC_EUNSUPPORTED for another shape, type or
 * layout; LAC_EIO when it reaches beyond the end of the file
 */
lac_status lac_hdf5_locate(lac_hdf5_place *out, const lac_hdf5 *file, const char *path);

typedef enum lac_attribute_kind {
  LAC_ATTRIBUTE_NONE, /* there is no such attribute */
  LAC_ATTRIBUTE_TEXT,
  LAC_ATTRIBUTE_INTEGER,
  LAC_ATTRIBUTE_FLOAT,
} lac_attribute_kind;

/** One value beside a dataset, a group or, at path "", the file. */
typedef struct lac_attribute {
  lac_attribute_kind kind;
  char *text; /* zero-terminated; freed with free() */
  int64_t integer;
  double number;
} lac_attribute;

/** Read an attribute; a missing one is LAC_OK with kind LAC_ATTRIBUTE_NONE. */
lac_status lac_hdf5_read_attribute(lac_attribute *out, const lac_hdf5 *file, const char *path,
                                   const char *key);

#endif
