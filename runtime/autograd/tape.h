/**
 * The tape: operations are noted while it is open, gradients run back over it, and what was made
 * under it dies with it.
 *
 * Tapes nest; the innermost open tape of a device is the current one. A tape that does not record
 * is a scope: it only bounds lifetimes, for decoding and evaluation. Closing a tape closes every
 * tensor it has adopted and not kept, whoever holds it, so device memory does not wait for a
 * garbage collector.
 */
#ifndef LAC_AUTOGRAD_TAPE_H
#define LAC_AUTOGRAD_TAPE_H

#include "tensor/tensor.h"

enum { LAC_NODE_IN = 8, LAC_NODE_OUT = 3, LAC_NODE_SAVED = 4, LAC_NODE_ATTR = 4 };

typedef struct lac_tape lac_tape;

/** What a rule needs that is no tensor; drop(object) lets it go. {0} is nothing. */
typedef struct lac_extra {
  void *object;
  void (*drop)(void *object);
} lac_extra;

void lac_extra_drop(const lac_extra *extra);

/** One recorded operation. Unused places are NULL or zero. */
typedef struct lac_node {
  /** Add to the gradients of the inputs that require one; outputs without a gradient count as zero.
   */
  lac_status (*backward)(const struct lac_node *node);
  const void *op; /* the rule's static data */
  lac_tensor *in[LAC_NODE_IN];
  lac_tensor *out[LAC_NODE_OUT];
  lac_tensor *saved[LAC_NODE_SAVED];
  float attr[LAC_NODE_ATTR];
  uint64_t count[LAC_NODE_ATTR];
  lac_extra extra;
} lac_node;

/** Open a tape and make it the device's current one. The caller releases it. */
lac_status lac_tape_open(lac_tape **out, lac_device *device, bool record);

/** Close it, and tapes opened under it; a second time does nothing. */
void lac_tape_close(lac_tape *tape);
void lac_tape_release(lac_tape *tape);
bool lac_tape_is_open(const lac_tape *tape);

/** The innermost open tape, borrowed, or NULL. */
lac_tape *lac_tape_current(lac_device *device);

/** Whether an operation on these inputs would be recorded; NULL entries are skipped. */
bool lac_tape_wants(lac_device *device, lac_tensor *const *in, size_t count);

/**
 * Note an operation, if the current tape records and an input requires a gradient; the outputs then
 * require one too. The tape retains what the node names, and takes node->extra over, whether or not
 * it records.
 *
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_tape_record(lac_device *device, const lac_node *node);

/** Tie a tensor's life to the current tape; without one it does nothing. */
lac_status lac_tape_adopt(lac_tensor *x);

/** Untie x from this tape, or from one opened under it: it passes to the tape around this one, or
 * to its holders alone. */
lac_status lac_tape_keep(lac_tape *tape, lac_tensor *x);

/** Before a holder's last release: when nobody but a tape's adoption still holds x, untie it, so
 * that its memory goes at once. */
void lac_tape_let_go(lac_tensor *x);

/** A rule's part of a gradient that may be worked out later, together with others like it. */
typedef struct lac_part {
  lac_tensor *gy, *x;
  lac_extra extra;
} lac_part;

/** Add the parts to w's gradient. */
typedef lac_status (*lac_parts_rule)(lac_tensor *w, const lac_part *parts, size_t count);

/**
 * From within a rule: put a part of w's gradient off until w's own rule is due, or the end. A
 * weight used at every time step so gets one large product in place of many small ones. The order
 * of parts is that of the calls. Without a backward in progress the rule runs at once. part->extra
 * is taken over, the tensors are retained.
 *
 * @return LAC_OK; LAC_ENOMEM; what the rule returns
 */
lac_status lac_tape_put_off(lac_parts_rule rule, lac_tensor *w, const lac_part *part);

/**
 * From within a rule whose kernel can do that part as well: take one over that waits under `rule`
 * for w. The caller releases its tensors and drops its extra.
 *
 * @return whether there was one
 */
bool lac_tape_take(lac_parts_rule rule, const lac_tensor *w, lac_part *out);

/**
 * Run all rules from the last to the first, starting with a gradient of 1 for `loss`. Gradients add
 * up in the leaves; those of intermediate results and the nodes themselves are dropped on the way.
 *
 * @param loss  one float element, made under this tape
 * @return LAC_OK; LAC_EINVAL for a loss of more elements, one that depends on nothing recorded, or
 * a tape that does not record or has run; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_tape_backward(lac_tape *tape, lac_tensor *loss);

#endif
