/**
 * Files that TensorBoard reads: scalars over steps.
 *
 * Such a file is a row of records, each a protocol buffer message `Event` with its length and
 * checks (CRC-32C). TensorBoard follows a file whose name holds "tfevents" while it grows.
 */
#ifndef LAC_IO_TFEVENTS_H
#define LAC_IO_TFEVENTS_H

#include "io/file.h"

enum { LAC_TFEVENTS_TAG_MAX = 1024 };

/**
 * Make a file, or empty the one that is there, and write the record that names the format.
 *
 * @param[out] out   flushed, synced and closed with lac_append_...()
 * @param wall_time  seconds since 1970
 * @return LAC_OK; LAC_EIO; LAC_ENOMEM
 */
lac_status lac_tfevents_create(lac_append **out, const char *path, double wall_time);

/**
 * Go on with a file after its first `bytes` bytes; the rest is cut off. These bytes are read and
 * must be whole, sound records.
 *
 * @param bytes  UINT64_MAX: all whole records of the file; a damaged one is where it ends
 * @return LAC_OK; LAC_EIO, and then the file is left as it is; LAC_ENOMEM
 */
lac_status lac_tfevents_open(lac_append **out, const char *path, uint64_t bytes);

/**
 * Add one number.
 *
 * @param tag        printable ASCII, 1 .. LAC_TFEVENTS_TAG_MAX bytes: "train/loss"; what stands
 *                   before the slash groups the charts
 * @param value      NaN and infinities are shown as such
 * @param wall_time  seconds since 1970
 * @return LAC_OK; LAC_EINVAL for such a tag or a step < 0; LAC_EIO
 */
lac_status lac_tfevents_scalar(lac_append *file, const char *tag, float value, int64_t step,
                               double wall_time);

/**
 * CRC-32C: polynomial 0x1EDC6F41, reflected, inverted at both ends.
 *
 * Castagnoli, Brauer and Herrmann 1993, "Optimization of cyclic redundancy-check codes with 24 and
 * 32 parity bits"; test vectors in RFC 3720, appendix B.4.
 */
uint32_t lac_crc32c(const void *bytes, size_t size);

#endif
