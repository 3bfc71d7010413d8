/**
 * Folders: making one, and keeping other processes out of one.
 */
#ifndef LAC_IO_FOLDER_H
#define LAC_IO_FOLDER_H

#include "core/status.h"

/** Make a folder, and those above it, where they are missing. LAC_EIO with the path and the reason.
 */
lac_status lac_folder_make(const char *path);

/** A file that one process at a time holds; the system lets go of it when the process ends. */
typedef struct lac_lock lac_lock;

/**
 * Hold the file at the path, which is created if need be.
 *
 * @return LAC_OK; LAC_EIO where another process holds it, or it cannot be made; LAC_ENOMEM
 */
lac_status lac_lock_open(lac_lock **out, const char *path);

/** Let go of it. */
void lac_lock_close(lac_lock *lock);

#endif
