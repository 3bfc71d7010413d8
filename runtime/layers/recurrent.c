/*
 * The LSTM's gate activations are kept only while something records; backward needs nothing else of
 * z. The GRU's, which are fewer, are worked out again.
 */
#include "layers/recurrent.h"

#include "layers/recurrent_host.h"
#include "ops/elementwise.h"
#include "ops/op.h"

static lac_status lstm_cell_backward(const lac_node *node) {
  lac_tensor *z = node->in[0], *c_prev = node->in[1], *gates = node->saved[0];
  lac_tensor *gh = lac_tensor_grad(node->out[0]), *gc = lac_tensor_grad(node->out[1]);
  const lac_shape *shape = lac_tensor_shape(c_prev);
  const bool with_gc_prev = lac_tensor_requires_grad(c_prev);
  lac_tensor *gz, *gc_prev = gates;
  LAC_TRY(lac_tensor_borrow_grad(&gz, z));
  if (with_gc_prev) LAC_TRY(lac_tensor_borrow_grad(&gc_prev, c_prev));
  if (lac_cells_on_host(lac_tensor_device(z)))
    return lac_lstm_cell_host_backward(&(lac_lstm_gradients){gz, with_gc_prev ? gc_prev : NULL, gh,
                                                             gc, gates, node->out[1], c_prev});
  lac_launch run = lac_launch_new(lac_tensor_device(z), "recurrent", "lstm_cell_bwd");
  lac_arg_tensor(&run, gz);
  lac_arg_tensor(&run, gc_prev);
  lac_arg_tensor(&run, gh ? gh : gates);
  lac_arg_tensor(&run, gc ? gc : gates);
  lac_arg_tensor(&run, gates);
  lac_arg_tensor(&run, node->out[1]);
  lac_arg_tensor(&run, c_prev);
  lac_arg_u64(&run, shape->dim[0]);
  lac_arg_u64(&run, shape->dim[1]);
  lac_arg_u32(&run, gh != NULL);
  lac_arg_u32(&run, gc != NULL);
  lac_arg_u32(&run, with_gc_prev);
  lac_launch_items2(&run, shape->dim[1], shape->dim[0]);
  return lac_launch_run(&run);
}

static lac_status launch_cell(lac_tensor *h, lac_tensor *c, lac_tensor *gates, lac_tensor *z,
                              lac_tensor *c_prev) {
  const lac_shape *shape = lac_tensor_shape(c_prev);
  if (lac_cells_on_host(lac_tensor_device(z))) return lac_lstm_cell_host(h, c, gates, z, c_prev);
  lac_launch run = lac_launch_new(lac_tensor_device(z), "recurrent",
                                  gates ? "lstm_cell_fwd_keep" : "lstm_cell_fwd");
  lac_arg_tensor(&run, h);
  lac_arg_tensor(&run, c);
  if (gates) lac_arg_tensor(&run, gates);
  lac_arg_tensor(&run, z);
  lac_arg_tensor(&run, c_prev);
  lac_arg_u64(&run, shape->dim[0]);
  lac_arg_u64(&run, shape->dim[1]);
  lac_launch_items2(&run, shape->dim[1], shape->dim[0]);
  return lac_launch_run(&run);
}

static lac_status run_cell(lac_tensor *h, lac_tensor *c, lac_tensor *gates, lac_tensor *z,
                           lac_tensor *c_prev) {
  const lac_node node = {lstm_cell_backward, .in = {z, c_prev}, .out = {h, c}, .saved = {gates}};
  LAC_TRY(launch_cell(h, c, gates, z, c_prev));
  return lac_tape_record(lac_tensor_device(z), &node);
}

static lac_status cell_of_contiguous(lac_tensor **h, lac_tensor **c, lac_tensor *z,
                                     lac_tensor *c_prev, const lac_lstm_places *places) {
  lac_device *device = lac_tensor_device(z);
  const lac_shape *shape = lac_tensor_shape(c_prev);
  lac_tensor *const in[] = {z, c_prev};
  lac_tensor *new_h = NULL, *new_c = NULL, *gates = NULL;
  lac_status status = lac_op_result(&new_h, "lstm_cell", "the place of h", places->h, z, shape);
  if (status == LAC_OK)
    status = lac_op_result(&new_c, "lstm_cell", "the place of c", places->c, z, shape);
  if (status == LAC_OK && lac_tape_wants(device, in, 2))
    status = lac_tensor_new(&gates, device, LAC_F32, lac_tensor_shape(z));
  if (status == LAC_OK) status = run_cell(new_h, new_c, gates, z, c_prev);
  lac_tensor_release(gates);
  if (status == LAC_OK) {
    *h = new_h;
    *c = new_c;
  } else {
    lac_tensor_release(new_h);
    lac_tensor_release(new_c);
  }
  return status;
}

lac_status lac_lstm_cell(lac_tensor **h, lac_tensor **c, lac_tensor *z, lac_tensor *c_prev,
                         const lac_lstm_places *places) {
  static const lac_lstm_places nowhere = {NULL, NULL};
  char text[LAC_SHAPE_TEXT];
  LAC_TRY(lac_op_check("lstm_cell", "z", z, LAC_F32, NULL));
  LAC_TRY(lac_op_check("lstm_cell", "c", c_prev, LAC_F32, z));
  const lac_shape *cell = lac_tensor_shape(c_prev);
  if (cell->rank != 2)
    return lac_fail(LAC_ESHAPE, "lstm_cell: c must be [batch, hidden], got %s",
                    lac_shape_text(text, cell));
  const lac_shape want = {2, {cell->dim[0], 4 * cell->dim[1]}};
  LAC_TRY(lac_op_check_shape("lstm_cell", "z", z, LAC_F32, NULL, &want));
  lac_tensor *dense_z = NULL, *dense_c = NULL;
  lac_status status = lac_contiguous(&dense_z, z);
  if (status == LAC_OK) status = lac_contiguous(&dense_c, c_prev);
  if (status == LAC_OK)
    status = cell_of_contiguous(h, c, dense_z, dense_c, places ? places : &nowhere);
  lac_tensor_release(dense_z);
  lac_tensor_release(dense_c);
  return status;
}

/* The gated recurrent unit's two operations: a record's inputs are z, h and, of the step, the
 * candidate. */
typedef struct gru_op {
  const char *name, *fwd, *bwd;
} gru_op;

enum { Z, H, CANDIDATE, GRU_INPUTS };

static void arg_sizes(lac_launch *run, const lac_shape *shape) {
  lac_arg_u64(run, shape->dim[0]);
  lac_arg_u64(run, shape->dim[1]);
  lac_launch_items2(run, shape->dim[1], shape->dim[0]);
}

static lac_status gru_backward(const lac_node *node) {
  const gru_op *op = node->op;
  lac_tensor *gy = lac_tensor_grad(node->out[0]), *grad[GRU_INPUTS];
  lac_launch run = lac_launch_new(lac_tensor_device(gy), "recurrent", op->bwd);
  for (int i = 0; i < GRU_INPUTS; i++) {
    if (!node->in[i]) continue;
    const bool wanted = lac_tensor_requires_grad(node->in[i]);
    if (wanted) LAC_TRY(lac_tensor_borrow_grad(&grad[i], node->in[i]));
    lac_arg_tensor(&run, wanted ? grad[i] : gy);
    lac_arg_u32(&run, wanted);
  }
  lac_arg_tensor(&run, gy);
  for (int i = 0; i < GRU_INPUTS; i++)
    if (node->in[i]) lac_arg_tensor(&run, node->in[i]);
  arg_sizes(&run, lac_tensor_shape(node->in[H]));
  return lac_launch_run(&run);
}

static lac_status gru_of_contiguous(lac_tensor **out, const gru_op *op,
                                    lac_tensor *const in[GRU_INPUTS], lac_tensor *place) {
  lac_tensor *y;
  const lac_shape *shape = lac_tensor_shape(in[H]);
  LAC_TRY(lac_op_result(&y, op->name, "place", place, in[H], shape));
  lac_launch run = lac_launch_new(lac_tensor_device(y), "recurrent", op->fwd);
  lac_arg_tensor(&run, y);
  for (int i = 0; i < GRU_INPUTS; i++)
    if (in[i]) lac_arg_tensor(&run, in[i]);
  arg_sizes(&run, shape);
  const lac_node node = {gru_backward, .op = op, .in = {in[Z], in[H], in[CANDIDATE]}, .out = {y}};
  return lac_op_finish(out, y, lac_launch_run(&run), &node);
}

static lac_status gru_run(lac_tensor **out, const gru_op *op, lac_tensor *const in[GRU_INPUTS],
                          lac_tensor *place) {
  char text[LAC_SHAPE_TEXT];
  LAC_TRY(lac_op_check(op->name, "z", in[Z], LAC_F32, NULL));
  LAC_TRY(lac_op_check(op->name, "h", in[H], LAC_F32, in[Z]));
  const lac_shape *shape = lac_tensor_shape(in[H]);
  if (shape->rank != 2)
    return lac_fail(LAC_ESHAPE, "%s: h must be [batch, hidden], got %s", op->name,
                    lac_shape_text(text, shape));
  const lac_shape gates = {2, {shape->dim[0], 2 * shape->dim[1]}};
  LAC_TRY(lac_op_check_shape(op->name, "z", in[Z], LAC_F32, NULL, &gates));
  if (in[CANDIDATE])
    LAC_TRY(lac_op_check_shape(op->name, "candidate", in[CANDIDATE], LAC_F32, in[Z], shape));
  lac_tensor *dense[GRU_INPUTS] = {NULL};
  lac_status status = LAC_OK;
  for (int i = 0; i < GRU_INPUTS && status == LAC_OK; i++)
    if (in[i]) status = lac_contiguous(&dense[i], in[i]);
  if (status == LAC_OK) status = gru_of_contiguous(out, op, dense, place);
  for (int i = 0; i < GRU_INPUTS; i++)
    lac_tensor_release(dense[i]);
  return status;
}

lac_status lac_gru_reset(lac_tensor **out, lac_tensor *z, lac_tensor *h, lac_tensor *place) {
  static const gru_op op = {"gru_reset", "gru_reset_fwd", "gru_reset_bwd"};
  lac_tensor *const in[GRU_INPUTS] = {[Z] = z, [H] = h};
  return gru_run(out, &op, in, place);
}

lac_status lac_gru_cell(lac_tensor **out, lac_tensor *z, lac_tensor *candidate, lac_tensor *h,
                        lac_tensor *place) {
  static const gru_op op = {"gru_cell", "gru_cell_fwd", "gru_cell_bwd"};
  lac_tensor *const in[GRU_INPUTS] = {[Z] = z, [H] = h, [CANDIDATE] = candidate};
  return gru_run(out, &op, in, place);
}
