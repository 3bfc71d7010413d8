/**
 * ZIP archives, read through libzip.
 */
#ifndef LAC_IO_ZIP_H
#define LAC_IO_ZIP_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct lac_zip lac_zip;

/** Open a file; @return LAC_OK; LAC_EIO with the path when absent, truncated or not a ZIP archive
 */
lac_status lac_zip_open(lac_zip **out, const char *path);

/**
 * The same on bytes in memory, which stay the caller's and have to outlive the archive.
 *
 * @param label  stands for the path in messages; copied
 */
lac_status lac_zip_open_memory(lac_zip **out, const void *bytes, size_t size, const char *label);

void lac_zip_close(lac_zip *zip);

/** The path or label it was opened with, borrowed. */
const char *lac_zip_label(const lac_zip *zip);

size_t lac_zip_count(const lac_zip *zip);

/** The name of an entry, borrowed; index < lac_zip_count(). */
const char *lac_zip_name(const lac_zip *zip, size_t index);

/** Non-zero, with the position of an entry, when the name is there. */
int lac_zip_find(const lac_zip *zip, size_t *index, const char *name);

/**
 * Read and check one entry (stored or deflated).
 *
 * @param[out] out     the bytes and a closing zero byte; freed with free()
 * @param limit_bytes  refuse an entry that declares more
 * @return LAC_OK; LAC_EIO when damaged; LAC_EUNSUPPORTED for encryption and other compressions;
 *         LAC_ENOMEM
 */
lac_status lac_zip_read(lac_zip *zip, size_t index, void **out, size_t *size, uint64_t limit_bytes);

#endif
