/**
 * The harmless part of Python's pickle: values come out, nothing is ever executed.
 *
 * Python, "pickletools.py", is the description of the opcodes. The machine knows those that tables
 * of tensors need (protocols 2 to 4); any other opcode, and any global outside the caller's list,
 * is refused by name. A call (REDUCE) is recorded, not made. Work and memory are bounded by a
 * number of opcodes, never by what the stream declares. Values may refer to each other in cycles:
 * whoever walks them bounds the walk.
 */
#ifndef LAC_IO_PICKLE_H
#define LAC_IO_PICKLE_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

typedef enum lac_pickle_kind {
  LAC_PICKLE_NONE,
  LAC_PICKLE_BOOL,       /* integer */
  LAC_PICKLE_INT,        /* integer */
  LAC_PICKLE_LONG,       /* more than 8 bytes: text, length; two's complement, little-endian */
  LAC_PICKLE_FLOAT,      /* number */
  LAC_PICKLE_STRING,     /* text, length; not terminated, may hold any byte */
  LAC_PICKLE_TUPLE,      /* items */
  LAC_PICKLE_LIST,       /* items */
  LAC_PICKLE_DICT,       /* items: key, value, key, value, ...; also an OrderedDict */
  LAC_PICKLE_GLOBAL,     /* global */
  LAC_PICKLE_PERSISTENT, /* one item: the identifier */
  LAC_PICKLE_CALL,       /* global, and one item: the tuple of arguments */
} lac_pickle_kind;

typedef struct lac_pickle_value {
  lac_pickle_kind kind;
  int global; /* position in the list of allowed globals; LAC_PICKLE_ORDERED_DICT */
  union {
    int64_t integer;
    double number;
    struct {
      const char *text; /* borrowed from the stream */
      size_t length;
    } string;
    struct {
      uint32_t *items; /* positions, for lac_pickle_item() */
      uint32_t count, capacity;
    } list;
  } as;
} lac_pickle_value;

/** collections.OrderedDict, which is always allowed. */
enum { LAC_PICKLE_ORDERED_DICT = -1 };

typedef struct lac_pickle lac_pickle;

/**
 * Run one pickle.
 *
 * @param bytes     have to outlive the result, which borrows its strings
 * @param[out] used bytes up to and with the STOP opcode
 * @param globals   the names allowed beside collections.OrderedDict, "module.name", NULL at the end
 * @return LAC_OK; LAC_EIO when malformed; LAC_EUNSUPPORTED for a refused opcode or global;
 * LAC_ENOMEM
 */
lac_status lac_pickle_parse(lac_pickle **out, const void *bytes, size_t size, size_t *used,
                            const char *const *globals);

void lac_pickle_release(lac_pickle *pickle);

const lac_pickle_value *lac_pickle_root(const lac_pickle *pickle);

/** An item of a tuple, list, dict, call or persistent identifier; NULL beyond the last. */
const lac_pickle_value *lac_pickle_item(const lac_pickle *pickle, const lac_pickle_value *value,
                                        uint32_t index);

/** All values in order of creation, those that the root does not reach included. */
size_t lac_pickle_count(const lac_pickle *pickle);
const lac_pickle_value *lac_pickle_at(const lac_pickle *pickle, size_t index);

#endif
