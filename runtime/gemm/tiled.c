/* One launch of cl/matmul.cl; a transpose is only another pair of steps. */
#include "gemm/tiled.h"

#include "device/kernel.h"

enum { TILE = 32, SIDE = 8 }; // as in cl/matmul.cl

static int bid(lac_device *device) {
  (void)device;
  return 1;
}

static lac_status probe(lac_device *device) {
  (void)device;
  return LAC_OK;
}

lac_status lac_tiled_product(lac_device *device, const lac_gemm_args *g) {
  const uint64_t down = (g->m + TILE - 1) / TILE, across = (g->n + TILE - 1) / TILE;
  lac_launch run = lac_launch_new(device, "matmul", "matmul");
  lac_arg_buffer(&run, g->c.buffer, g->c.offset);
  lac_arg_buffer(&run, g->k ? g->a.buffer : g->c.buffer, g->a.offset); // some memory, not read
  lac_arg_buffer(&run, g->k ? g->b.buffer : g->c.buffer, g->b.offset);
  lac_arg_u32(&run, (uint32_t)g->m);
  lac_arg_u32(&run, (uint32_t)g->n);
  lac_arg_u32(&run, (uint32_t)g->k);
  lac_arg_u64(&run, g->c.ld);
  lac_arg_u64(&run, g->trans_a ? 1 : g->a.ld);
  lac_arg_u64(&run, g->trans_a ? g->a.ld : 1);
  lac_arg_u64(&run, g->trans_b ? 1 : g->b.ld);
  lac_arg_u64(&run, g->trans_b ? g->b.ld : 1);
  lac_arg_u64(&run, g->stride_c);
  lac_arg_u64(&run, g->stride_a);
  lac_arg_u64(&run, g->stride_b);
  lac_arg_u32(&run, (uint32_t)down);
  lac_arg_f32(&run, g->alpha);
  lac_arg_f32(&run, g->beta);
  lac_launch_groups2(&run, across, down * g->batch, SIDE, SIDE);
  return lac_launch_run(&run);
}

lac_status lac_tiled_start(lac_device *device, lac_gemm_args *g) {
  lac_launch run = lac_launch_new(device, "matmul", "start_rows");
  lac_arg_buffer(&run, g->c.buffer, g->c.offset);
  lac_arg_buffer(&run, g->start.buffer, g->start.offset);
  lac_arg_u64(&run, g->n);
  lac_arg_u64(&run, g->c.ld);
  lac_launch_items2(&run, g->n, g->m);
  g->start.buffer = NULL;
  g->beta = 1;
  return lac_launch_run(&run);
}

const lac_gemm_provider lac_gemm_tiled = {
    .name = "tiled", .bid = bid, .probe = probe, .product = lac_tiled_product};
