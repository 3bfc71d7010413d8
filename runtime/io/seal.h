/**
 * The checksum of a model file, in its first 512 bytes.
 *
 * HDF5 leaves a "user block" before its own bytes to the application. Ours is text:
 * "lacuna checksum v1", the number of bytes that follow the block and their CRC-32, then zeros. A
 * file without it (any HDF5 file from elsewhere) is simply not sealed.
 */
#ifndef LAC_IO_SEAL_H
#define LAC_IO_SEAL_H

#include "core/status.h"

#include <stdbool.h>

enum { LAC_SEAL_BYTES = 512 };

/** Sum up the file and write the block, whose room the file already has. */
lac_status lac_seal_write(const char *path);

/**
 * Compare a file with its block, if it has one.
 *
 * @param thorough  also compare the checksum, which reads the whole file; else only the length
 * @return LAC_OK, also for a file without the block; LAC_EIO with what is wrong: missing, truncated
 * (N of M bytes), damaged
 */
lac_status lac_seal_check(const char *path, bool thorough);

#endif
