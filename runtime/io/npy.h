/**
 * NumPy's .npy (versions 1 to 3) and .npz files.
 *
 * NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays". Little-endian f2, f4, f8,
 * i1, i2, i4, i8, u1 and b1 are read; Fortran order becomes row-major; Python objects are refused.
 */
#ifndef LAC_IO_NPY_H
#define LAC_IO_NPY_H

#include "io/archive.h"

/** Read one array: an archive with a single entry named "array". @return as lac_pth_read() */
lac_status lac_npy_read(lac_archive **out, const char *path);

/** Append the array in these bytes under the name; the message does not know the file. */
lac_status lac_npy_parse(lac_archive *into, const char *name, const void *bytes, size_t size);

/** Read every array of an .npz file, in the order of the file, under its name there. */
lac_status lac_npz_read(lac_archive **out, const char *path);

#endif
