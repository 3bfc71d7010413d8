/**
 * Files: read one whole into memory, replace one so that a reader sees the old or the new, never
 * half, and let one grow at its end.
 */
#ifndef LAC_IO_FILE_H
#define LAC_IO_FILE_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/**
 * Read a regular file.
 *
 * @param[out] out    the bytes and a closing zero byte; freed with free()
 * @param[out] size   bytes, without that zero
 * @param limit_bytes refuse a longer file
 * @return LAC_OK; LAC_EIO with the path and the reason; LAC_EINVAL for a longer file; LAC_ENOMEM
 */
lac_status lac_file_read(void **out, size_t *size, const char *path, uint64_t limit_bytes);

/** Put a file's name before the current message: `return lac_file_blame(status, path)`. */
lac_status lac_file_blame(lac_status status, const char *path);

/**
 * A file about to be replaced: the writer fills the temporary file `<path>.tmp-<pid>` in the same
 * directory; commit puts it in place. What was at the path stays whole until then.
 */
typedef struct lac_stage lac_stage;

/** Choose the temporary name; nothing is created yet. LAC_EIO where something else than a regular
 * file is at the path: the rename would replace it. */
lac_status lac_stage_open(lac_stage **out, const char *path);

const char *lac_stage_path(const lac_stage *stage);
const char *lac_stage_temp(const lac_stage *stage);

/** Append bytes to the temporary file; the first call creates it. */
lac_status lac_stage_write(lac_stage *stage, const void *bytes, size_t size);

/**
 * Sync the temporary file, rename it over the path and sync the directory.
 *
 * @return LAC_OK; LAC_EIO, and then the path is as it was before (except when only the directory
 *         could not be synced)
 */
lac_status lac_stage_commit(lac_stage *stage);

/** Remove the temporary file unless it was committed; idempotent on NULL. */
void lac_stage_close(lac_stage *stage);

/** A file that grows at its end: a log. What is written waits in memory until 64 KiB are together,
 * a flush, or the close. */
typedef struct lac_append lac_append;

/**
 * Make a file, or empty the one that is there.
 *
 * @param[out] out  closed with lac_append_close()
 * @return LAC_OK; LAC_EIO with the path and the reason, also for anything but a regular file;
 *         LAC_ENOMEM
 */
lac_status lac_append_create(lac_append **out, const char *path);

/**
 * Go on with a file after its first `bytes` bytes; the rest is cut off.
 *
 * @return as lac_append_create(); LAC_EIO where there is no file, or one that is shorter, which is
 *         then left as it is
 */
lac_status lac_append_open(lac_append **out, const char *path, uint64_t bytes);

/** Write at the end. After LAC_EIO none of these bytes are in the file, and it can be tried again.
 */
lac_status lac_append_write(lac_append *file, const void *bytes, size_t size);

/** Hand what waits to the system, so that other programs see it. After LAC_EIO it still waits. */
lac_status lac_append_flush(lac_append *file);

/** Flush, and wait until the disk has it. */
lac_status lac_append_sync(lac_append *file);

/** Bytes in the file, those that wait included. */
uint64_t lac_append_size(const lac_append *file);

/** Write what waits, if that is possible, and close; idempotent on NULL. */
void lac_append_close(lac_append *file);

#endif
