/*
 * Nodes in an array, in the order of recording, which is a topological order; backward walks it
 * from the end. The tape's own references are the only ones a node has, so dropping the node frees
 * what only backward still needed.
 */
#include "autograd/tape.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

/* One weight's parts that wait. */
typedef struct waiting {
  lac_parts_rule rule;
  lac_tensor *w;
  lac_part *parts;
  size_t count, room;
} waiting;

struct lac_tape {
  uint64_t refs;
  lac_device *device; /* NULL once closed */
  lac_tape *parent;
  bool record, ran;
  lac_node *nodes;
  size_t node_count, node_room;
  lac_tensor **adopted;
  size_t adopted_count, adopted_room;
  waiting *waits; /* filled and emptied within one backward */
  size_t wait_count, wait_room;
  bool running;
};

lac_tape *lac_tape_current(lac_device *device) {
  return *lac_device_tape_slot(device);
}

lac_status lac_tape_open(lac_tape **out, lac_device *device, bool record) {
  lac_tape *tape;
  LAC_TRY(lac_alloc(&tape, 1, sizeof *tape, "a tape"));
  tape->refs = 1;
  tape->device = lac_device_retain(device);
  tape->parent = lac_tape_current(device);
  tape->record = record;
  *lac_device_tape_slot(device) = tape;
  *out = tape;
  return LAC_OK;
}

void lac_extra_drop(const lac_extra *extra) {
  if (extra->drop) extra->drop(extra->object);
}

/* With its node gone, an output that somebody kept is a plain tensor again. A view is a place in a
 * tensor that other nodes write to as well, so that one stays as it is. */
static void drop_node(lac_node *node) {
  for (int i = 0; i < LAC_NODE_IN; i++)
    lac_tensor_release(node->in[i]);
  for (int i = 0; i < LAC_NODE_OUT; i++) {
    if (node->out[i] && !lac_tensor_is_view(node->out[i]))
      lac_tensor_set_requires_grad(node->out[i], false);
    lac_tensor_release(node->out[i]);
  }
  for (int i = 0; i < LAC_NODE_SAVED; i++)
    lac_tensor_release(node->saved[i]);
  lac_extra_drop(&node->extra);
}

// NOLINTBEGIN(clang-analyzer-unix.Malloc): an entry is off its list, or the list is being cut, so
// it is dropped once
static void drop_waiting(waiting *wait) {
  for (size_t i = 0; i < wait->count; i++) {
    lac_tensor_release(wait->parts[i].gy);
    lac_tensor_release(wait->parts[i].x);
    lac_extra_drop(&wait->parts[i].extra);
  }
  free(wait->parts);
  lac_tensor_release(wait->w);
}
// NOLINTEND(clang-analyzer-unix.Malloc)

void lac_tape_close(lac_tape *tape) {
  if (!tape->device) return;
  lac_device *device = tape->device;
  while (lac_tape_current(device) != tape)
    lac_tape_close(lac_tape_current(device));
  *lac_device_tape_slot(device) = tape->parent;
  while (tape->node_count)
    drop_node(&tape->nodes[--tape->node_count]);
  while (tape->wait_count) // after a failure only
    drop_waiting(&tape->waits[--tape->wait_count]);
  while (tape->adopted_count) {
    lac_tensor *x = tape->adopted[--tape->adopted_count];
    lac_tensor_close(x);
    lac_tensor_release(x);
  }
  free(tape->nodes);
  free(tape->adopted);
  free(tape->waits);
  tape->nodes = NULL;
  tape->adopted = NULL;
  tape->waits = NULL;
  tape->device = NULL;
  lac_device_release(device);
}

void lac_tape_release(lac_tape *tape) {
  if (!tape || --tape->refs) return;
  lac_tape_close(tape);
  free(tape);
}

bool lac_tape_is_open(const lac_tape *tape) {
  return tape->device != NULL;
}

bool lac_tape_wants(lac_device *device, lac_tensor *const *in, size_t count) {
  const lac_tape *tape = lac_tape_current(device);
  if (!tape || !tape->record) return false;
  for (size_t i = 0; i < count; i++)
    if (in[i] && lac_tensor_requires_grad(in[i])) return true;
  return false;
}

/* Room for one more node. */
static lac_status grow_nodes(lac_tape *tape) {
  if (tape->node_count < tape->node_room) return LAC_OK;
  const size_t room = tape->node_room ? 2 * tape->node_room : 64;
  LAC_TRY(lac_realloc(&tape->nodes, room, sizeof *tape->nodes, "the tape"));
  tape->node_room = room;
  return LAC_OK;
}

lac_status lac_tape_record(lac_device *device, const lac_node *node) {
  const bool wanted = lac_tape_wants(device, node->in, LAC_NODE_IN);
  lac_tape *tape = lac_tape_current(device);
  const lac_status status = wanted ? grow_nodes(tape) : LAC_OK;
  if (!wanted || status != LAC_OK) {
    lac_extra_drop(&node->extra);
    return status;
  }
  for (int i = 0; i < LAC_NODE_IN; i++)
    if (node->in[i]) lac_tensor_retain(node->in[i]);
  for (int i = 0; i < LAC_NODE_SAVED; i++)
    if (node->saved[i]) lac_tensor_retain(node->saved[i]);
  for (int i = 0; i < LAC_NODE_OUT; i++) {
    if (!node->out[i]) continue;
    lac_tensor_retain(node->out[i]);
    lac_tensor_set_requires_grad(node->out[i], true);
  }
  tape->nodes[tape->node_count++] = *node;
  return LAC_OK;
}

static lac_status push_adopted(lac_tape *tape, lac_tensor *x) {
  if (tape->adopted_count == tape->adopted_room) {
    const size_t room = tape->adopted_room ? 2 * tape->adopted_room : 64;
    LAC_TRY(lac_realloc(&tape->adopted, room, sizeof(lac_tensor *), "the tape"));
    tape->adopted_room = room;
  }
  tape->adopted[tape->adopted_count++] = lac_tensor_retain(x);
  return LAC_OK;
}

lac_status lac_tape_adopt(lac_tensor *x) {
  lac_tape *tape = lac_tape_current(lac_tensor_device(x));
  return tape ? push_adopted(tape, x) : LAC_OK;
}

/* The place of x among what a tape has adopted, or NULL. */
static lac_tensor **find_adopted(lac_tape *tape, const lac_tensor *x) {
  for (size_t i = tape->adopted_count; i-- > 0;)
    if (tape->adopted[i] == x) return &tape->adopted[i];
  return NULL;
}

static void untie(lac_tape *tape, lac_tensor **place) {
  lac_tensor *x = *place;
  *place = tape->adopted[--tape->adopted_count];
  lac_tensor_release(x);
}

lac_status lac_tape_keep(lac_tape *tape, lac_tensor *x) {
  for (lac_tape *at = lac_tape_current(tape->device); at; at = at->parent) {
    lac_tensor **place = find_adopted(at, x);
    if (place) {
      if (tape->parent) LAC_TRY(push_adopted(tape->parent, x));
      untie(at, place);
      return LAC_OK;
    }
    if (at == tape) break;
  }
  return LAC_OK; // it outlives this tape as it is
}

void lac_tape_let_go(lac_tensor *x) {
  if (lac_tensor_refs(x) != 2) return; // the caller's and the adoption's, or it is needed elsewhere
  for (lac_tape *tape = lac_tape_current(lac_tensor_device(x)); tape; tape = tape->parent) {
    lac_tensor **place = find_adopted(tape, x);
    if (!place) continue;
    untie(tape, place);
    return;
  }
}

static lac_status check_backward(const lac_tape *tape, const lac_tensor *loss) {
  char text[LAC_SHAPE_TEXT];
  if (!tape->device) return lac_fail(LAC_EINVAL, "backward: the tape is closed");
  if (tape->ran) // and has therefore stopped recording
    return lac_fail(LAC_EINVAL, "backward: this tape has run; open a new one for each step");
  if (!tape->record) return lac_fail(LAC_EINVAL, "backward: this scope does not record");
  if (lac_tensor_numel(loss) != 1 || lac_tensor_dtype(loss) != LAC_F32)
    return lac_fail(LAC_EINVAL, "backward: the loss must be one float, got shape %s",
                    lac_shape_text(text, lac_tensor_shape(loss)));
  if (!lac_tensor_requires_grad(loss))
    return lac_fail(LAC_EINVAL, "backward: the loss depends on nothing that requires a gradient");
  return LAC_OK;
}

static bool has_output_grad(const lac_node *node) {
  for (int i = 0; i < LAC_NODE_OUT; i++)
    if (node->out[i] && lac_tensor_grad(node->out[i])) return true;
  return false;
}

static lac_status find_waiting(lac_tape *tape, lac_parts_rule rule, lac_tensor *w, waiting **out) {
  for (size_t i = 0; i < tape->wait_count; i++) {
    if (tape->waits[i].w != w || tape->waits[i].rule != rule) continue;
    *out = &tape->waits[i];
    return LAC_OK;
  }
  if (tape->wait_count == tape->wait_room) {
    const size_t room = tape->wait_room ? 2 * tape->wait_room : 16;
    LAC_TRY(lac_realloc(&tape->waits, room, sizeof *tape->waits, "the tape"));
    tape->wait_room = room;
  }
  *out = &tape->waits[tape->wait_count++];
  **out = (waiting){.rule = rule, .w = lac_tensor_retain(w)};
  return LAC_OK;
}

/* The list where a part of w's gradient goes, with room for it. */
static lac_status prepare_wait(lac_tape *tape, lac_parts_rule rule, lac_tensor *w, waiting **out) {
  LAC_TRY(find_waiting(tape, rule, w, out));
  waiting *wait = *out;
  if (wait->count < wait->room) return LAC_OK;
  const size_t room = wait->room ? 2 * wait->room : 16;
  LAC_TRY(lac_realloc(&wait->parts, room, sizeof *wait->parts, "the tape"));
  wait->room = room;
  return LAC_OK;
}

lac_status lac_tape_put_off(lac_parts_rule rule, lac_tensor *w, const lac_part *part) {
  lac_tape *tape = lac_tape_current(lac_tensor_device(w));
  waiting *wait = NULL;
  while (tape && !tape->running)
    tape = tape->parent;
  const lac_status status = tape ? prepare_wait(tape, rule, w, &wait) : rule(w, part, 1);
  if (!wait || status != LAC_OK) {
    lac_extra_drop(&part->extra);
    return status;
  }
  lac_tensor_retain(part->gy);
  lac_tensor_retain(part->x);
  wait->parts[wait->count++] = *part;
  return LAC_OK;
}

bool lac_tape_take(lac_parts_rule rule, const lac_tensor *w, lac_part *out) {
  lac_tape *tape = lac_tape_current(lac_tensor_device(w));
  while (tape && !tape->running)
    tape = tape->parent;
  for (size_t i = 0; tape && i < tape->wait_count; i++) {
    waiting *wait = &tape->waits[i];
    if (wait->w != w || wait->rule != rule || wait->count == 0) continue;
    *out = wait->parts[--wait->count];
    return true;
  }
  return false;
}

/* Run what waits for tensors that share memory with x, or everything for NULL; the latest first,
 * which may take earlier ones along. */
static lac_status settle(lac_tape *tape, const lac_tensor *x) {
  for (size_t i = tape->wait_count; i-- > 0;) {
    if (x && lac_tensor_buffer(tape->waits[i].w) != lac_tensor_buffer(x)) continue;
    waiting due = tape->waits[i]; // taken off the list first
    tape->waits[i] = tape->waits[--tape->wait_count];
    const lac_status status = due.count ? due.rule(due.w, due.parts, due.count) : LAC_OK;
    drop_waiting(&due);
    LAC_TRY(status);
  }
  return LAC_OK;
}

static lac_status run_node(lac_tape *tape, lac_node *node) {
  for (int i = 0; i < LAC_NODE_OUT; i++) {
    if (!node->out[i]) continue;
    LAC_TRY(settle(tape, node->out[i]));
    LAC_TRY(lac_tensor_share_grad(node->out[i]));
  }
  if (has_output_grad(node)) LAC_TRY(node->backward(node));
  for (int i = 0; i < LAC_NODE_OUT; i++)
    if (node->out[i]) lac_tensor_drop_grad(node->out[i]);
  drop_node(node);
  tape->node_count--;
  return LAC_OK;
}

lac_status lac_tape_backward(lac_tape *tape, lac_tensor *loss) {
  const float one = 1;
  lac_tensor *grad;
  LAC_TRY(check_backward(tape, loss));
  LAC_TRY(lac_tensor_borrow_grad(&grad, loss));
  LAC_TRY(lac_tensor_fill(grad, &one));
  tape->ran = tape->running = true;
  tape->record = false; // rules may call operations
  lac_status status = LAC_OK;
  while (tape->node_count && status == LAC_OK)
    status = run_node(tape, &tape->nodes[tape->node_count - 1]);
  if (status == LAC_OK) status = settle(tape, NULL);
  tape->running = false;
  return status;
}
