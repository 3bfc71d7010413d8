/**
 * libhdf5's errors as statuses. Used by the files of io/ that call libhdf5, and by nothing else.
 */
#ifndef LAC_IO_HDF5_ERROR_H
#define LAC_IO_HDF5_ERROR_H

#include "core/status.h"

#include <hdf5.h>

/** What was set before lac_hdf5_hush(). */
typedef struct lac_hdf5_quiet {
  H5E_auto2_t report;
  void *data;
} lac_hdf5_quiet;

/** Keep libhdf5 from printing its error stack, until lac_hdf5_unhush(). */
lac_hdf5_quiet lac_hdf5_hush(void);
void lac_hdf5_unhush(lac_hdf5_quiet before);

/** "<path>: <what>: <the reason deepest in libhdf5's error stack>"; call it right after the
 * failure. */
lac_status lac_hdf5_fail(const char *path, const char *what, ...) LAC_PRINTF(2, 3);

#endif
