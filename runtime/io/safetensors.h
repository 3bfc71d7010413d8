/**
 * safetensors files: a JSON header of names, types, shapes and offsets before plain bytes.
 *
 * Hugging Face, "Safetensors", the format section of its documentation.
 */
#ifndef LAC_IO_SAFETENSORS_H
#define LAC_IO_SAFETENSORS_H

#include "io/archive.h"

/**
 * Read F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL tensors, in the order of their bytes.
 *
 * @param[out] out  released by the caller
 * @return LAC_OK; LAC_EIO when damaged: the tensors must cover the bytes without a gap or an
 * overlap; LAC_EUNSUPPORTED; LAC_ENOMEM. The message starts with the path.
 */
lac_status lac_safetensors_read(lac_archive **out, const char *path);

/** The same from bytes in memory; the label stands for the path in messages. */
lac_status lac_safetensors_parse(lac_archive **out, const void *bytes, size_t size,
                                 const char *label);

/** Write all arrays as F32 and I32, in order, into a temporary file that then replaces the path. */
lac_status lac_safetensors_write(const lac_archive *archive, const char *path);

#endif
