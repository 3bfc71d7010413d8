/**
 * PyTorch checkpoints: tensors come out, no code is ever run.
 *
 * Read are the ZIP container of torch.save (1.6 and later) and the legacy one before it. Nested
 * dictionaries flatten with "." between the names; values that are not tensors are skipped. Dense
 * tensors of any stride become row-major, sparse COO tensors dense, duplicates added.
 */
#ifndef LAC_IO_PTH_H
#define LAC_IO_PTH_H

#include "io/archive.h"

/**
 * Read the file at a path.
 *
 * @param[out] out  the tensors in the order of the file; released by the caller
 * @return LAC_OK; LAC_EIO when missing, truncated or damaged; LAC_EUNSUPPORTED for a pickle that
 * holds more than tensors; LAC_ESHAPE or LAC_EINVAL for tensors that do not fit their storage;
 *         LAC_ENOMEM. The message starts with the path.
 */
lac_status lac_pth_read(lac_archive **out, const char *path);

/**
 * The same from bytes in memory.
 *
 * @param label        stands for the path in messages
 * @param limit_bytes  most bytes of tensors; 0 for the default of lac_archive_new()
 */
lac_status lac_pth_parse(lac_archive **out, const void *bytes, size_t size, const char *label,
                         uint64_t limit_bytes);

#endif
