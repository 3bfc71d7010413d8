/**
 * Program binaries on disk, keyed by everything that decides what a build gives.
 */
#ifndef LAC_DEVICE_BINARIES_H
#define LAC_DEVICE_BINARIES_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Read the binary stored under a key.
 *
 * @param key         any text; compared in full with what the entry was stored under
 * @param[out] bytes  freed with free(); untouched when there is no whole, undamaged entry
 * @return whether there is one; a missing or damaged entry is no error, the program is built anew
 */
bool lac_binaries_load(const char *key, unsigned char **bytes, size_t *size);

/** Store a binary, through a temporary name and a rename. Failing to is no error: the next start
 * builds again. */
void lac_binaries_store(const char *key, const unsigned char *bytes, size_t size);

#endif
